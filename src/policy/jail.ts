/**
 * What of the host a tenant sees: `<jail>`. It is inherited as a whole from the nearest element that has one.
 *
 *     <jail profile="shell"><path at="/srv/media"/><path at="/run/mysqld" access="write"/></jail>
 */
import { fail, ok, type Result } from '../base/result.ts';
import type { Located, Span } from './diagnostic.ts';

/** `none` takes back what would be inherited. */
export const jailProfiles = ['web', 'shell', 'strict', 'none'] as const;
export type JailProfile = (typeof jailProfiles)[number];

export const pathAccesses = ['read', 'write'] as const;
export type PathAccess = (typeof pathAccesses)[number];

/** A directory of the host that is seen inside, too, under the same path. */
export interface JailPath {
  readonly at: string;
  readonly access: PathAccess;
}

/** Those that have to act outside of a jail, and that the broker runs for whoever is inside. */
export const jailCommands = ['sendmail', 'crontab', 'passwd'] as const;
export type JailCommand = (typeof jailCommands)[number];
/** A password opens more than the jail, so who lists nothing does not get `passwd`. */
export const defaultJailCommands: readonly JailCommand[] = ['sendmail', 'crontab'];

export interface Jail {
  readonly profile: Exclude<JailProfile, 'none'>;
  readonly paths: readonly JailPath[];
  /** Absent: `defaultJailCommands`. */
  readonly commands?: readonly JailCommand[];
}

/** Those of a list, if there is one, in our order. */
export function checkJailCommands(
  names: readonly string[] | undefined,
): Result<Pick<Jail, 'commands'>> {
  if (names === undefined) return ok({});
  const unknown = names.find((each) => !jailCommands.some((known) => known === each));
  return unknown === undefined
    ? ok({ commands: jailCommands.filter((each) => names.includes(each)) })
    : fail(
        `"${unknown}" cannot be run outside of a jail; ${jailCommands.join(', ')} can, or "none"`,
      );
}

export const commandsOf = ({ commands = defaultJailCommands }: Jail): readonly JailCommand[] =>
  commands;

export interface JailElement extends Span {
  readonly profile: Located<JailProfile>;
  readonly paths: readonly JailPath[];
  readonly commands?: readonly JailCommand[];
}

/** What a jail has of its own, or must not have. */
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

/** More than anyone lists; each is a mount in every jail. */
export const jailPathsMax = 32;

/** A path as `at` must be: whole, plain, and not one that a jail has of its own. */
export function checkJailPath(path: string): Result<string> {
  if (!/^(?:\/[^/\p{Cc}]+)+$/u.test(path) || /\/\.\.?(?:\/|$)/.test(path)) {
    return fail(`"${path}" is not a whole path such as "/srv/media", without "." and ".."`);
  }
  const found = taken.find(([tree]) => isAt(path, tree) || isAt(tree, path));
  if (found === undefined) return ok(path);
  const [tree, why] = found;
  return fail(
    `"${path}" cannot be in a jail: ${isAt(path, tree) ? '' : `${tree} is in it, and `}${why}`,
  );
}

/** Whether it is the directory or in it. */
export const isAt = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** For people: `web, /srv/media read-only`. */
export const describeJail = (jail: Jail | undefined): string =>
  jail === undefined
    ? 'none'
    : [
        jail.profile,
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
      ].join(', ');
