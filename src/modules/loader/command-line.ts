/**
 * What the kernel's command line says about modules, word by word, to show where it is said. What the loader
 * makes of it all is `parseCmdline` of ../kernel/cmdline.ts.
 *
 *     root=/dev/sda1 module_blacklist=floppy,pcspkr module.sig_enforce=1 lockdown=integrity
 *     modprobe.blacklist=nouveau
 *
 * Sources: Documentation/admin-guide/kernel-parameters.txt; kernel/params.c (quotes, `-` is `_` in names);
 * modprobe(8).
 */
import { underscored, type Place } from './modprobe.ts';

export type CommandLineSetting = {
  readonly place: Place;
  /** The word as it stands. */
  readonly word: string;
} & (
  | { readonly kind: 'module_blacklist'; readonly modules: readonly string[] }
  | { readonly kind: 'sig_enforce' }
  | { readonly kind: 'lockdown'; readonly level: 'integrity' | 'confidentiality' }
  /** modprobe's own, which the kernel does not look at; names with `_`. */
  | { readonly kind: 'modprobe.blacklist'; readonly modules: readonly string[] }
);

/** The kernel keeps no more than this (COMMAND_LINE_SIZE is 2048 to 4096 by architecture). */
const charactersMax = 65_536;

export function parseCommandLine(
  text: string,
  file = '/proc/cmdline',
): readonly CommandLineSetting[] {
  const settings: CommandLineSetting[] = [];
  for (const word of words(text.slice(0, charactersMax).trim())) {
    // What follows is for init.
    if (word === '--') break;
    const setting = parseWord(word, { file, line: 1 });
    if (setting !== undefined) settings.push(setting);
  }
  return settings;
}

/** Blanks part words, but not between quotes. */
function words(text: string): readonly string[] {
  return text.match(/(?:[^\s"]|"[^"]*(?:"|$))+/g) ?? [];
}

function parseWord(word: string, place: Place): CommandLineSetting | undefined {
  const bare = word.replaceAll('"', '');
  const equals = bare.indexOf('=');
  const name = (equals < 0 ? bare : bare.slice(0, equals)).replaceAll('-', '_');
  const value = equals < 0 ? undefined : bare.slice(equals + 1);
  switch (name) {
    case 'module_blacklist':
      return { kind: name, place, word, modules: namesIn(value) };
    case 'modprobe.blacklist':
      return { kind: name, place, word, modules: namesIn(value).map(underscored) };
    case 'module.sig_enforce':
      return isTrue(value) ? { kind: 'sig_enforce', place, word } : undefined;
    case 'lockdown':
      return value === 'integrity' || value === 'confidentiality'
        ? { kind: name, place, word, level: value }
        : undefined;
    default:
      return undefined;
  }
}

const namesIn = (value: string | undefined): readonly string[] =>
  (value ?? '').split(',').filter((each) => each !== '');

/** As the kernel reads a truth value; it can be set, but not taken back. Source: lib/kstrtox.c, `kstrtobool`. */
const isTrue = (value: string | undefined): boolean =>
  value === undefined || /^(?:[yYtT1]|[oO][nN])/.test(value);
