/**
 * The web servers and PHP of a host, by the layouts of distributions and panels. Reads names only, and starts no
 * program. `root` is the directory that holds the host's file system: empty on a host, a tree of files in a test.
 */
import { existsSync, statSync } from 'node:fs';
import { namesIn, realPathOf } from '../../../packages/base/io/read.ts';
import type { ApacheLayout, Layout, NginxLayout } from '../../layouts/layout.ts';
import { anyVersion, filledIn, layouts, versionIn } from '../../layouts/layouts.ts';

export interface FoundPhpBuild {
  /** The name of the build: `8.4`, `ea-php83`. Absent if Bulkhead cannot serve it. */
  readonly php?: string;
  readonly origin: string;
  readonly program: string;
  /** The main file of its configuration, if Bulkhead can serve it. */
  readonly configuration: string;
  /** The directory of its pools, if it is there. */
  readonly pools?: string;
}

/** Returns every php-fpm and lsphp; paths are without the root. */
export const findPhpBuilds = (root = ''): readonly FoundPhpBuild[] =>
  layouts.flatMap((layout) => [...buildsOf(layout, root), ...unservedBuilds(layout, root)]);

function buildsOf({ origin, php }: Layout, root: string): readonly FoundPhpBuild[] {
  if (php === undefined) return [];
  return pathsOf(root, anyVersion(php.program)).flatMap((program): readonly FoundPhpBuild[] => {
    const version = versionIn(php.program, php, program);
    if (version === undefined || !isFile(root + program)) return [];
    const configuration = filledIn(php.configuration, version);
    const isServed = isFile(root + configuration);
    if (!isServed && php.isCommonName === true) return [];
    const pools = php.pools === undefined ? undefined : filledIn(php.pools, version);
    return [
      {
        ...(isServed && { php: filledIn(php.id, version) }),
        origin,
        program,
        configuration,
        ...(pools !== undefined && isDirectory(root + pools) && { pools }),
      },
    ];
  });
}

const unservedBuilds = ({ origin, unservedPhp }: Layout, root: string) =>
  (unservedPhp === undefined ? [] : pathsOf(root, unservedPhp)).map((program) => ({
    origin,
    program,
    configuration: '',
  }));

/** Returns the nginx that the host has, if it has one. */
export const findNginx = (root = ''): NginxLayout | undefined =>
  layouts.flatMap(({ nginx }) => nginx ?? []).find(({ program }) => isFile(root + program));

/** Returns the Apache that the host has, if it has one. */
export const findApache = (root = ''): ApacheLayout | undefined =>
  layouts
    .flatMap(({ apache }) => apache ?? [])
    .find(({ program, configuration, mark = configuration }) =>
      [program, configuration, mark].every((each) => isFile(root + each)),
    );

export interface FoundLiteSpeed {
  readonly program: string;
  /** The main file of its configuration. */
  readonly configuration: string;
  /** Another edition's main file, if the program does not show which edition it is. */
  readonly otherConfiguration?: string;
  /** The directory that its configuration calls `$SERVER_ROOT`. */
  readonly serverRoot: string;
}

/** Returns LiteSpeed. A host that changed from one edition to another may have the main files of both. */
export function findLiteSpeed(root = ''): FoundLiteSpeed | undefined {
  for (const { liteSpeed, unserved = [] } of layouts) {
    const program = unserved.find((each) => isFile(root + each.program))?.program;
    if (liteSpeed === undefined || program === undefined) continue;
    const { serverRoot, configurations } = liteSpeed;
    const target = realPathOf(root + program) ?? '';
    const own = configurations.filter(({ readBy }) => readBy.test(target));
    const isKnown = own.length > 0;
    const [configuration, other] = (isKnown ? own : configurations)
      .map(({ file }) => file)
      .filter((file) => isFile(root + file));
    if (configuration !== undefined)
      return {
        program,
        configuration,
        serverRoot,
        ...(!isKnown && other !== undefined && { otherConfiguration: other }),
      };
  }
  return undefined;
}

export interface FoundWebServer {
  readonly name: string;
  readonly program: string;
  /** Whether `web entries` can limit its sites. */
  readonly isServed: boolean;
  /** Whether `web status` reads its configuration. */
  readonly isRead: boolean;
}

/** Returns the web servers. Programs of one server that is here twice count as one. */
export function findWebServers(root = ''): readonly FoundWebServer[] {
  const served = [
    { name: 'nginx', found: findNginx(root) },
    { name: 'Apache', found: findApache(root) },
  ].flatMap(({ name, found }) =>
    found === undefined ? [] : [{ name, program: found.program, isServed: true, isRead: true }],
  );
  const liteSpeed = findLiteSpeed(root)?.program;
  const others = layouts
    .flatMap(({ unserved = [] }) => unserved)
    .filter(({ program }) => isFile(root + program))
    .map((each) => ({ ...each, isServed: false, isRead: each.program === liteSpeed }));
  return [...served, ...others].filter(
    ({ name }, at, all) => all.findIndex((each) => each.name === name) === at,
  );
}

/** Returns the paths that match, without the root. `*` and `[0-9]` are understood; directories may be links. */
export function pathsOf(root: string, pattern: string): readonly string[] {
  const [, ...parts] = pattern.split('/');
  const found = parts.reduce<readonly string[]>(
    (paths, part) =>
      part.includes('*')
        ? paths.flatMap((path) => matchesIn(root + path, part).map((name) => `${path}/${name}`))
        : paths.map((path) => `${path}/${part}`),
    [''],
  );
  return found.filter((path) => existsSync(root + path));
}

function matchesIn(directory: string, part: string): readonly string[] {
  const source = part.replaceAll(/[.+^$(){}|\\]/g, '\\$&').replaceAll('*', '.*');
  const matching = new RegExp(`^${source}$`);
  return namesIn(directory).filter((name) => matching.test(name));
}

export const isFile = (path: string): boolean => statAt(path)?.isFile() === true;

export const isDirectory = (path: string): boolean => statAt(path)?.isDirectory() === true;

/** Returns nothing for links that lead nowhere, or to each other. */
function statAt(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
