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

/** `root` is the directory that holds the host's file system: empty on a host, a tree of files in a test. */
export function findWebPrograms(root = ''): WebPrograms {
  const nginx = nginxProgram(root);
  const apache = apacheProgram(root);
  return { ...(nginx && { nginx }), ...(apache && { apache }), ...fpmPrograms(root) };
}

function nginxProgram(root: string): NginxProgram | undefined {
  const found = findNginx(root);
  if (found === undefined) return undefined;
  const directory = root + found.directory;
  const args = root === '' ? [] : ['-c', `${directory}/nginx.conf`];
  return { program: root + found.program, args, directory };
}

function apacheProgram(root: string): ApacheProgram | undefined {
  const found = findApache(root);
  if (found === undefined) return undefined;
  const { program, configuration, directory, modInfo, environment, ownFile, pidFile } = found;
  const text = environment === undefined ? undefined : readText(root + environment);
  const module = modInfo.find((each) => isFile(root + each)) ?? modInfo[0] ?? '';
  return {
    program: root + program,
    args: root === '' ? [] : ['-f', root + configuration],
    directory: root + directory,
    modInfo: root + module,
    environment: withRunDirectory(parseEnvvars(text ?? ''), isDirectory),
    ownFile: root + ownFile,
    pidFile,
  };
}

function fpmPrograms(root: string): Pick<WebPrograms, 'fpm' | 'notServed'> {
  const fpm: FpmProgram[] = [];
  const notServed: NotServed[] = [];
  const ownersOf = pathOwnersReader();
  for (const { php, program, configuration } of findPhpBuilds(root)) {
    if (php === undefined) continue;
    const paths = { program: root + program, configuration: root + configuration };
    const changer = [paths.program, paths.configuration]
      .flatMap((path) => ownersOf(path)?.uids ?? [])
      .find((uid) => uid !== 0);
    if (changer !== undefined)
      notServed.push({ ...paths, reason: `uid ${changer} can change it, and it runs as root` });
    else if (ownersOf(paths.program)?.writableByOthers === true)
      notServed.push({ ...paths, reason: 'others can change its program, and it runs as root' });
    else fpm.push({ ...paths, php });
  }
  return { fpm, notServed };
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
