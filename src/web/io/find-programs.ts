/**
 * Finds the web servers and PHP-FPM that Bulkhead serves: by the layouts of distributions and panels, and by what runs.
 * Bulkhead starts these programs as root, so only root may be able to change them.
 */
import { existsSync, lstatSync } from 'node:fs';
import { readText } from '../../../packages/base/io/read.ts';
import {
  findApache,
  findLiteSpeed,
  findNginx,
  findPhpBuilds,
  isDirectory,
  isFile,
  type FoundLiteSpeed,
} from '../../host/servers/find-servers.ts';
import type { Paths } from '../../host/paths.ts';
import { findFpmMasters } from '../../host/servers/fpm-masters.ts';
import { parseEnvvars, withRunDirectory } from '../core/apache/environment.ts';
import { choicePath } from './fpm/layout.ts';
import { pathOwnersReader } from './path-owners.ts';
import {
  nginxEntriesPath,
  type ApacheProgram,
  type FpmProgram,
  type NginxProgram,
  type NotServed,
  type WebPrograms,
} from './servers.ts';

interface FindOptions {
  /**
   * Whether entries are enabled here. A web server that others than root can change counts then, if Bulkhead's file is in
   * its configuration: it could not be taken out of there otherwise.
   */
  readonly hasEntries?: boolean;
}

/** `root` is the directory that holds the host's file system: empty on a host, a tree of files in a test. */
export function findWebPrograms(root = '', { hasEntries = false }: FindOptions = {}): WebPrograms {
  const unsafe = unsafeReader();
  const notServed: NotServed[] = [];
  const isSafe: IsSafe = (found) => {
    const reason = unsafe(found);
    if (reason !== undefined) notServed.push({ ...found, reason });
    return reason === undefined;
  };
  const isServed = (found: Found, ownFile: string) =>
    isSafe(found) || (hasEntries && isFileOfRoot(ownFile));
  const nginx = nginxProgram(root, isServed);
  const apache = apacheProgram(root, isServed);
  const fpm = phpPrograms(root).filter(isSafe);
  const liteSpeed = liteSpeedIn(root);
  return {
    ...(nginx && { nginx }),
    ...(apache && { apache }),
    ...(liteSpeed && { liteSpeed }),
    fpm,
    notServed,
  };
}

type Found = Omit<NotServed, 'reason'>;
type IsSafe = (found: Found) => boolean;
/** The path is Bulkhead's own file in the server's configuration. */
type IsServed = (found: Found, ownFile: string) => boolean;

const isFileOfRoot = (path: string): boolean => {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.uid === 0;
};

function nginxProgram(root: string, isServed: IsServed): NginxProgram | undefined {
  const found = findNginx(root);
  if (found === undefined) return undefined;
  const program = root + found.program;
  const directory = root + found.directory;
  const configuration = `${directory}/nginx.conf`;
  const nginx = { program, args: root === '' ? [] : ['-c', configuration], directory };
  return isServed({ server: 'nginx', program, configuration }, nginxEntriesPath(nginx))
    ? nginx
    : undefined;
}

function apacheProgram(root: string, isServed: IsServed): ApacheProgram | undefined {
  const found = findApache(root);
  if (found === undefined) return undefined;
  const { directory, modInfo, environment, ownFile, pidFile } = found;
  const program = root + found.program;
  const configuration = root + found.configuration;
  if (!isServed({ server: 'Apache', program, configuration }, root + ownFile)) return undefined;
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

function liteSpeedIn(root: string): FoundLiteSpeed | undefined {
  const found = findLiteSpeed(root);
  if (found === undefined) return undefined;
  const { program, configuration, otherConfiguration, serverRoot } = found;
  return {
    program: root + program,
    configuration: root + configuration,
    ...(otherConfiguration !== undefined && { otherConfiguration: root + otherConfiguration }),
    serverRoot: root + serverRoot,
  };
}

const phpPrograms = (root: string): readonly FpmProgram[] =>
  findPhpBuilds(root).flatMap(({ php, program, configuration }) =>
    php === undefined
      ? []
      : [{ php, program: root + program, configuration: root + configuration }],
  );

/** Returns why others than root could choose what root runs, as a clause. */
function unsafeReader(): (found: Found) => string | undefined {
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

const isDivided = (paths: Paths, php: string) => existsSync(choicePath(paths, php));

/**
 * Returns the builds that Bulkhead serves, and those that this instance has divided already. A build of which others
 * have become owners stays among the latter: its unit runs it as root in any case, and without it no service could be
 * taken back. Only the commands that change services may start it.
 */
export function dividedPrograms(
  { fpm, notServed = [] }: Pick<WebPrograms, 'fpm' | 'notServed'>,
  paths: Paths,
): readonly FpmProgram[] {
  const others = notServed.flatMap(({ php, program, configuration }) =>
    php === undefined || !isDivided(paths, php) ? [] : [{ php, program, configuration }],
  );
  return [...fpm, ...others];
}

/** Returns what is here and not served. A survey must not run such a build, so its pools are unknown to it. */
export const notServedHere = ({ notServed = [] }: WebPrograms, paths: Paths) =>
  notServed.map((each): NotServed => {
    if (each.php === undefined || !isDivided(paths, each.php)) return each;
    return {
      ...each,
      reason: `${each.reason}; its pools have services of their own, which web status does not read`,
    };
  });

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
