/**
 * The file in which a panel names its scripts for CPAPI. A value is a program and its fixed arguments.
 *
 *     [integration_scripts]
 *     panel_info = /opt/cpvendor/bin/panel_info
 *     users      = bash /opt/cpvendor/bin/vendor_integration_script users
 */

export const scriptNames = [
  'panel_info',
  'users',
  'packages',
  'domains',
  'resellers',
  'admins',
] as const;
export type ScriptName = (typeof scriptNames)[number];

export type ScriptCommands = ReadonlyMap<ScriptName, readonly string[]>;

const isScript = (name: string): name is ScriptName => scriptNames.some((each) => each === name);

/** Returns the command of each script; those that are missing do not exist. The first value of a name counts. */
export function parseIntegrationIni(text: string): ScriptCommands {
  const commands = new Map<ScriptName, readonly string[]>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const [, name] = /^\s*\[([^\]]*)\]\s*$/.exec(line) ?? [];
    if (name !== undefined) section = name.trim();
    const [, key = '', value = ''] =
      /^\s*([\w-]+)\s*[=:]\s*(.*?)\s*(?:\s[;#].*)?$/.exec(line) ?? [];
    if (section !== 'integration_scripts' || !isScript(key) || commands.has(key)) continue;
    const words = value.split(/\s+/).filter((each) => each !== '');
    if (words.length > 0) commands.set(key, words);
  }
  return commands;
}
