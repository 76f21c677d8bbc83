/**
 * The parts of the host that a tenant sees: `<jail>`. A tenant inherits it as a whole from the nearest element that has
 * one.
 *
 *     <jail profile="shell"><path at="/srv/media"/><path at="/run/mysqld" access="write"/></jail>
 *
 * A site may have its own jail, which shows one directory instead of the tenant's home:
 *
 *     <site name="shop.example"><jail profile="strict" home="/home/alice/shop"/></site>
 */
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import type { Located, Span } from './diagnostic.ts';

/** `none` cancels an inherited jail. */
export const jailProfiles = ['web', 'shell', 'strict', 'none'] as const;
export type JailProfile = (typeof jailProfiles)[number];

export const pathAccesses = ['read', 'write'] as const;
export type PathAccess = (typeof pathAccesses)[number];

/** A directory of the host that is visible inside, too, under the same path. */
export interface JailPath {
  /** The path, which is the same inside and outside. */
  readonly at: string;
  readonly access: PathAccess;
}

/** Commands that must act outside a jail; the broker runs them for processes inside. */
export const jailCommands = ['sendmail', 'crontab', 'passwd'] as const;
export type JailCommand = (typeof jailCommands)[number];
/** The commands if none are listed. A password opens more than the jail, so `passwd` must be listed. */
export const defaultJailCommands: readonly JailCommand[] = ['sendmail', 'crontab'];

/** Database servers whose sockets are found and shown in jails. */
export const jailDatabases = ['mysql', 'postgresql'] as const;
export type JailDatabase = (typeof jailDatabases)[number];

export interface Jail {
  /** The profile, which decides what else is visible. */
  readonly profile: Exclude<JailProfile, 'none'>;
  /** Directories of the host that are visible inside, too. */
  readonly paths: readonly JailPath[];
  /** The commands; if absent, `defaultJailCommands`. */
  readonly commands?: readonly JailCommand[];
  /** The database servers whose sockets are visible; if absent, all. */
  readonly databases?: readonly JailDatabase[];
  /** The directory of a site, which replaces the tenant's home. */
  readonly home?: string;
}

/** Checks a list of commands, if there is one, and returns them in our order. */
export function checkJailCommands(
  names: readonly string[] | undefined,
): Result<Pick<Jail, 'commands'>, Cause> {
  if (names === undefined) return ok({});
  const unknown = names.find((each) => !jailCommands.some((known) => known === each));
  return unknown === undefined
    ? ok({ commands: jailCommands.filter((each) => names.includes(each)) })
    : fail({
        reason: `"${unknown}" cannot be run outside a jail`,
        hint: `${jailCommands.join(', ')} can, or "none"`,
      });
}

/** Checks a list of databases, if there is one, and returns them in our order. */
export function checkJailDatabases(
  names: readonly string[] | undefined,
): Result<Pick<Jail, 'databases'>, Cause> {
  if (names === undefined) return ok({});
  const unknown = names.find((each) => !jailDatabases.some((known) => known === each));
  return unknown === undefined
    ? ok({ databases: jailDatabases.filter((each) => names.includes(each)) })
    : fail({
        reason: `"${unknown}" is not a database whose socket Bulkhead finds`,
        hint: `write ${jailDatabases.join(' or ')}, or "none"`,
      });
}

/**
 * Returns the databases whose sockets are visible. By default a site sees none: it has its tenant's uid, by which
 * databases know the tenant without a password, and so other sites' data.
 */
export const databasesOf = ({ databases, home }: Jail): readonly JailDatabase[] =>
  databases ?? (home === undefined ? jailDatabases : []);

export const commandsOf = ({ commands = defaultJailCommands }: Jail): readonly JailCommand[] =>
  commands;

export interface JailElement extends Span {
  readonly profile: Located<JailProfile>;
  readonly paths: readonly JailPath[];
  readonly commands?: readonly JailCommand[];
  readonly databases?: readonly JailDatabase[];
  /** Only for a site, which needs it. */
  readonly home?: Located<string>;
}

/** Trees that a jail has itself, or must not have. */
const taken: readonly (readonly [tree: string, why: string])[] = [
  ['/usr', 'all of /usr is seen inside anyway'],
  ['/opt', 'all of /opt is seen inside anyway'],
  ['/bin', 'all of /usr is seen inside anyway'],
  ['/sbin', 'all of /usr is seen inside anyway'],
  ['/lib', 'all of /usr is seen inside anyway'],
  ['/lib64', 'all of /usr is seen inside anyway'],
  ['/etc', 'of /etc all jails have the same files'],
  ['/dev', 'devices lead out of a jail'],
  ['/proc', 'a jail has its own'],
  ['/sys', 'it shows the kernel and its devices'],
  ['/tmp', 'a jail has its own'],
  ['/var/tmp', 'a jail has its own'],
  ['/home', 'homes of other tenants are there'],
  ['/root', 'it is the home of root'],
  ['/run/bulkhead', 'Bulkhead keeps its own files there'],
  ['/.bulkhead', 'Bulkhead keeps its own files there'],
];

/** More paths than anyone lists; each is a mount in every jail. */
export const jailPathsMax = 32;

const isPlainPath = (path: string) =>
  /^(?:\/[^/\p{Cc}]+)+$/u.test(path) && !/\/\.\.?(?:\/|$)/.test(path);

/** Checks a path for `at`: whole, plain, and none that a jail has itself. */
export function checkJailPath(path: string): Result<string, Cause> {
  if (!isPlainPath(path)) {
    return fail({
      reason: `"${path}" is not a whole path such as "/srv/media", without "." and ".."`,
    });
  }
  const found = taken.find(([tree]) => isAt(path, tree) || isAt(tree, path));
  if (found === undefined) return ok(path);
  const [tree, why] = found;
  return fail({
    reason: `"${path}" cannot be in a jail: ${isAt(path, tree) ? '' : `${tree} is in it, and `}${why}`,
  });
}

/** Whether it is the directory, or inside it. */
export const isAt = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** Trees in which no home can be: a jail has its own, or shares the host's with all jails. */
const notForHomes = [
  '/usr',
  '/opt',
  '/etc',
  '/dev',
  '/proc',
  '/sys',
  '/tmp',
  '/var/tmp',
  '/run/bulkhead',
];

/** Checks a home that a jail can have, of a tenant or of a site. The error is about "its home". */
export function checkHome(home: string): Result<string, Cause> {
  if (!isPlainPath(home)) return fail({ reason: 'its home is not a plain absolute path' });
  if (home.lastIndexOf('/') === 0) return fail({ reason: `its home ${home} is directly in /` });
  const tree = notForHomes.find((each) => isAt(home, each));
  return tree === undefined
    ? ok(home)
    : fail({ reason: `its home is in ${tree}, of which a jail has its own` });
}

/** Describes a jail for people: `web, /srv/media read-only`. */
export const formatJail = (jail: Jail | undefined): string =>
  jail === undefined
    ? 'none'
    : [
        jail.profile,
        ...(jail.home === undefined ? [] : [`home ${jail.home}`]),
        ...jail.paths.map(
          ({ at, access }) => `${at} ${access === 'read' ? 'read-only' : 'writable'}`,
        ),
        ...(jail.commands === undefined
          ? []
          : [
              jail.commands.length === 0
                ? 'no commands outside'
                : `outside ${jail.commands.join(' ')}`,
            ]),
        ...(jail.databases === undefined
          ? []
          : [
              jail.databases.length === 0
                ? 'no databases'
                : `databases ${jail.databases.join(' ')}`,
            ]),
      ].join(', ');
