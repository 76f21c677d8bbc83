/**
 * The settings of this host's FTP daemons: from the files of distributions, from units, and from running processes that
 * were started with other files. Only root's processes count, since anybody can give a process such a name.
 */
import { existsSync, globSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { linkAt, namesIn, readText } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import {
  proftpdLines,
  proftpdSetting,
  pureFtpdSetting,
  vsftpdSetting,
  type FtpSetting,
  type IsJailed,
} from '../core/daemons.ts';

/** The main files of Debian and of enterprise Linux. */
export const ftpConfigurations: readonly string[] = [
  '/etc/vsftpd.conf',
  '/etc/vsftpd/vsftpd.conf',
  '/etc/proftpd/proftpd.conf',
  '/etc/proftpd.conf',
];

const unitDirectories = ['/etc', '/run', '/usr/lib'].map((each) => `${each}/systemd/system`);
const bytesMax = 1 << 20;
const filesMax = 200;

/** Returns the settings. `root` is the parent of all directories: empty on a host, a fixture in a test. */
export function ftpSettings(isJailed: IsJailed, root = ''): readonly FtpSetting[] {
  const started = [...startedByUnits(root), ...runningIn(`${root}/proc`)];
  return [
    ...vsftpdSettings(root, started, isJailed),
    ...proftpdSettings(root, started, isJailed),
    ...pureFtpdSettings(root),
  ];
}

/** A command that starts a daemon: the name of the program, and its arguments. */
interface Started {
  readonly program: string;
  readonly args: readonly string[];
}

function startedByUnits(root: string): readonly Started[] {
  return unitDirectories.flatMap((directory) =>
    namesIn(`${root}${directory}`)
      .filter((name) => /^(?:vsftpd|proftpd).*\.service$/.test(name))
      .flatMap((name) => {
        const text = readSetting(`${root}${directory}/${name}`) ?? '';
        return [...text.matchAll(/^ExecStart=[-@:+!]*(.+)$/gm)].flatMap(([, command = '']) =>
          commandOf(command.trim().split(/\s+/)),
        );
      }),
  );
}

function runningIn(proc: string): readonly Started[] {
  return namesIn(proc)
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => /^(?:vsftpd|proftpd)\n$/.test(readText(`${proc}/${pid}/comm`) ?? ''))
    .filter((pid) => statSync(`${proc}/${pid}`, { throwIfNoEntry: false })?.uid === 0)
    .flatMap((pid) => {
      const words = (readText(`${proc}/${pid}/cmdline`) ?? '').split('\0').filter(Boolean);
      const directory = linkAt(`${proc}/${pid}/cwd`);
      return commandOf(
        words.map((each) => (each.startsWith('-') ? each : resolve(directory, each))),
      );
    });
}

function commandOf([path = '', ...args]: readonly string[]): readonly Started[] {
  const program = path.slice(path.lastIndexOf('/') + 1);
  return program === '' ? [] : [{ program, args }];
}

/** Returns the text; undefined if there is no such file. */
function readSetting(path: string): string | undefined {
  const read = readBounded(path, bytesMax);
  return read.ok ? decodeText(read.value) : undefined;
}

function vsftpdSettings(
  root: string,
  started: readonly Started[],
  isJailed: IsJailed,
): readonly FtpSetting[] {
  const commands = started.filter(({ program }) => program === 'vsftpd').map(({ args }) => args);
  const named = commands.flatMap((args) => {
    const files = args.filter((each) => each.startsWith('/'));
    const options = args.filter((each) => each.startsWith('-o')).map((each) => each.slice(2));
    return files.map((path) => ({ path, options }));
  });
  const others = ftpConfigurations
    .filter((path) => path.includes('vsftpd') && named.every((each) => each.path !== path))
    .map((path) => ({ path, options: [] }));
  return [...named, ...others].flatMap(({ path, options }) => {
    const text = readSetting(`${root}${path}`);
    const defaultService = existsSync(`${root}/etc/debian_version`) ? 'vsftpd' : 'ftp';
    return text === undefined ? [] : [vsftpdSetting(path, text, isJailed, options, defaultService)];
  });
}

function proftpdSettings(
  root: string,
  started: readonly Started[],
  isJailed: IsJailed,
): readonly FtpSetting[] {
  const named = started
    .filter(({ program }) => program === 'proftpd')
    .flatMap(({ args }) => args.filter((_, at) => /^(?:-c|--config)$/.test(args[at - 1] ?? '')))
    .filter((path) => path.startsWith('/'));
  const usual = ftpConfigurations.filter((path) => path.includes('proftpd'));
  return [...new Set([...named, ...usual])].flatMap((path) => {
    const text = readSetting(`${root}${path}`);
    return text === undefined
      ? []
      : [proftpdSetting(path, withIncludes(root, path, proftpdLines(text)), isJailed)];
  });
}

/** Returns the text with the files in it that it includes; bounded, since files may include each other. */
function withIncludes(root: string, path: string, text: string): string {
  let files = 0;
  const expand = (part: string): string =>
    part.replaceAll(/^\s*Include\s+(\S+).*$/gim, (_, pattern: string) => {
      const from = `${root}${resolve(dirname(path), pattern)}`;
      const all = [...globSync(from), ...globSync(`${from}/*`)].toSorted();
      return all
        .filter(() => ++files <= filesMax)
        .map((each) => expand(proftpdLines(readSetting(each) ?? '')))
        .join('\n');
    });
  return expand(text);
}

/**
 * Debian starts pure-ftpd with the methods in /etc/pure-ftpd/auth, each a link to a file with `yes` or a path; enterprise
 * Linux with a configuration file.
 */
function pureFtpdSettings(root: string): readonly FtpSetting[] {
  const directory = `${root}/etc/pure-ftpd`;
  const linked = namesIn(`${directory}/auth`).flatMap((name) => {
    const value = readSetting(`${directory}/auth/${name}`)?.trim() ?? 'no';
    return /^(?:no|0)?$/i.test(value) ? [] : [name.replace(/^\d+/, '')];
  });
  const texts = ['pure-ftpd.conf', '../pure-ftpd.conf'].map((each) =>
    readSetting(`${directory}/${each}`),
  );
  const configured = texts.flatMap((text) => methodsIn(text ?? ''));
  const methods = [...new Set([...linked, ...configured])];
  return methods.length === 0 && texts.every((text) => text === undefined)
    ? []
    : [pureFtpdSetting(methods)];
}

const pureFtpdMethods: Readonly<Record<string, string>> = {
  PAMAuthentication: 'pam',
  UnixAuthentication: 'unix',
  PureDB: 'puredb',
  MySQLConfigFile: 'mysql',
  PGSQLConfigFile: 'pgsql',
  LDAPConfigFile: 'ldap',
  ExtAuth: 'extauth',
};

const methodsIn = (text: string): readonly string[] =>
  [...text.matchAll(/^(\w+)\s+(\S+)/gm)].flatMap(([, name = '', value = '']) => {
    const method = pureFtpdMethods[name];
    return method === undefined || /^no$/i.test(value) ? [] : [method];
  });
