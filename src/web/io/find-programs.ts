/**
 * Finds the web servers and PHP-FPM that Bulkhead serves: by the layouts of distributions and panels, and by what runs.
 * Bulkhead starts these programs as root, so only root may be able to change them.
 */
import { readText } from '../../../packages/base/io/read.ts';
import {
  findApache,
  findNginx,
  findPhpBuilds,
  isDirectory,
  isFile,
} from '../../host/servers/find-servers.ts';
import { findFpmMasters } from '../../host/servers/fpm-masters.ts';
import { parseEnvvars, withRunDirectory } from '../core/apache/environment.ts';
import { pathOwnersReader } from './path-owners.ts';
import type { ApacheProgram, FpmProgram, NginxProgram, NotServed, WebPrograms } from './servers.ts';

interface FindOptions {
  /** Whether web servers count that others than root can change: Bulkhead's files are in their configuration already. */
  readonly unsafeServers?: boolean;
}

/** `root` is the directory that holds the host's file system: empty on a host, a tree of files in a test. */
export function findWebPrograms(
  root = '',
  { unsafeServers = false }: FindOptions = {},
): WebPrograms {
  const unsafe = unsafeReader();
  const notServed: NotServed[] = [];
  const isSafe: IsSafe = (found) => {
    const reason = unsafe(found);
    if (reason !== undefined) notServed.push({ ...found, reason });
    return reason === undefined;
  };
  const isServed: IsSafe = (found) => isSafe(found) || unsafeServers;
  const nginx = nginxProgram(root, isServed);
  const apache = apacheProgram(root, isServed);
  const fpm = phpPrograms(root).filter(isSafe);
  return { ...(nginx && { nginx }), ...(apache && { apache }), fpm, notServed };
}

type IsSafe = (found: Omit<NotServed, 'reason'>) => boolean;

function nginxProgram(root: string, isServed: IsSafe): NginxProgram | undefined {
  const found = findNginx(root);
  if (found === undefined) return undefined;
  const program = root + found.program;
  const directory = root + found.directory;
  const configuration = `${directory}/nginx.conf`;
  if (!isServed({ server: 'nginx', program, configuration })) return undefined;
  return { program, args: root === '' ? [] : ['-c', configuration], directory };
}

function apacheProgram(root: string, isServed: IsSafe): ApacheProgram | undefined {
  const found = findApache(root);
  if (found === undefined) return undefined;
  const { directory, modInfo, environment, ownFile, pidFile } = found;
  const program = root + found.program;
  const configuration = root + found.configuration;
  if (!isServed({ server: 'Apache', program, configuration })) return undefined;
  const text = environment === undefined ? undefined : readText(root + environment);
  const module = modInfo.find((each) => isFile(root + each)) ?? modInfo[0] ?? '';
  return {
    program,
    args: root === '' ? [] : ['-f', configuration],
    directory: root + directory,
    modInfo: root + module,
    environment: withRunDirectory(parseEnvvars(text ?? ''), isDirectory),
    ownFile: root + ownFile,
    pidFile,
  };
}

const phpPrograms = (root: string): readonly FpmProgram[] =>
  findPhpBuilds(root).flatMap(({ php, program, configuration }) =>
    php === undefined
      ? []
      : [{ php, program: root + program, configuration: root + configuration }],
  );

/** Returns why others than root could choose what root runs, as a clause. */
function unsafeReader(): (found: Omit<NotServed, 'reason'>) => string | undefined {
  const ownersOf = pathOwnersReader();
  return ({ program, configuration }) => {
    const both = [
      { what: 'program', owners: ownersOf(program) },
      { what: 'configuration', owners: ownersOf(configuration) },
    ];
    const changer = both.flatMap(({ owners }) => owners?.uids ?? []).find((uid) => uid !== 0);
    if (changer !== undefined) return `uid ${changer} can change it, and it runs as root`;
    const open = both.find(({ owners }) => owners?.writableByOthers === true);
    return open && `others can change its ${open.what}, and it runs as root`;
  };
}

/**
 * Returns the builds that Bulkhead serves, and those that it has divided already. A build of which others have become
 * owners stays among the latter: its unit runs it as root in any case, and without it no service could be taken back.
 */
export function dividedPrograms(
  { fpm, notServed = [] }: Pick<WebPrograms, 'fpm' | 'notServed'>,
  isDivided: (fpm: FpmProgram) => boolean,
): readonly FpmProgram[] {
  const others = notServed.flatMap(({ php, program, configuration }) =>
    php === undefined ? [] : [{ php, program, configuration }],
  );
  return [...fpm, ...others.filter(isDivided)];
}

const unknown = 'it runs, and no layout that Bulkhead knows has it';

/** Returns masters that run with another configuration than the layouts have. */
export function unknownMasters(
  { fpm, notServed = [] }: WebPrograms,
  proc = '/proc',
): readonly NotServed[] {
  const isServed = (configuration: string) =>
    [...fpm, ...notServed].some((each) => each.configuration === configuration) ||
    ownFile.test(configuration);
  return findFpmMasters(proc)
    .filter(({ configuration }) => !isServed(configuration))
    .map((each) => ({ ...each, reason: unknown }));
}

/** A main file of Bulkhead's: `/etc/bulkhead/fpm/8.4/php-fpm.conf`, `/etc/bulkhead/fpm/8.4/1001.conf`. */
const ownFile = /^\/etc\/[^/]+\/fpm\/[^/]+\/[^/]+\.conf$/;
