/**
 * The variables of /etc/apache2/envvars, without running it: Apache's configuration names them.
 *
 *     export APACHE_RUN_USER=www-data
 *     export APACHE_PID_FILE=/var/run/apache2$SUFFIX/apache2.pid
 *
 * The file is a shell script. Plain assignments are understood. Variables set in a branch stay empty, as they do for
 * the instance without a suffix.
 */
const assignment =
  /^export[ \t]+([A-Za-z_]\w*)=(?:"([^"`]*)"|'([^']*)'|([^\s"'`;&|()<>]*))[ \t]*(?:#.*)?$/;

export function parseEnvvars(text: string): Readonly<Record<string, string>> {
  const variables = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = assignment.exec(line);
    if (match === null) continue;
    const [, name = '', double, single, bare] = match;
    const expanded = (double ?? bare ?? '').replaceAll(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (_, braced?: string, plain?: string) => variables.get(braced ?? plain ?? '') ?? '',
    );
    variables.set(name, single ?? expanded);
  }
  return Object.fromEntries(variables);
}

/**
 * Replaces a missing run directory. Even reading the configuration needs the directory of a running Apache
 * (DefaultRuntimeDir), and writes nothing there. After a boot, Debian's does not exist until Apache is started.
 */
export function withRunDirectory(
  environment: Readonly<Record<string, string>>,
  isDirectory: (path: string) => boolean,
): Readonly<Record<string, string>> {
  const directory = environment['APACHE_RUN_DIR'];
  if (directory === undefined || isDirectory(directory)) return environment;
  return { ...environment, APACHE_RUN_DIR: '/run' };
}
