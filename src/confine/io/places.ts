/** The directories of units and drop-ins; tests use others. */
import { createHash } from 'node:crypto';
import { lstatSync, readlinkSync } from 'node:fs';
import type { Paths } from '../../host/paths.ts';
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import { profileOf, profiles } from '../core/profiles.ts';
import type { DaemonProfile } from '../core/profile.ts';

export interface ConfinePaths {
  readonly etc: string;
  readonly proc: string;
  /** The directories in which units are searched, in this order. */
  readonly unitDirectories: readonly string[];
  /** The name of our drop-ins. */
  readonly file: string;
  /** Our directory, which only root can access. */
  readonly state: string;
  /**
   * The directory for copies of units while they are scored. It is ours, only root can access it,
   * and it is gone after a boot.
   */
  readonly scratch: string;
}

export const confinePathsOf = (
  { etc, proc, state, runtime, instance }: Paths,
  root = '',
): ConfinePaths => ({
  etc,
  proc,
  unitDirectories: [
    `${etc}/systemd/system`,
    ...[
      '/run/systemd/system',
      '/usr/local/lib/systemd/system',
      '/usr/lib/systemd/system',
      '/lib/systemd/system',
      '/run/systemd/generator.late',
    ].map((each) => root + each),
  ],
  file: `50-${instance}.conf`,
  state: `${state}/confine`,
  scratch: `${runtime}/confine`,
});

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface ConfinedService {
  /** `nginx`, `php8.4-fpm`. */
  readonly name: string;
  /** The unit's name without `.service`; `postfix@-` on Debian 12. */
  readonly unit: string;
  readonly profile: DaemonProfile;
}

export const dropInOf = ({ etc, file }: ConfinePaths, { unit }: ConfinedService): string =>
  `${etc}/systemd/system/${unit}.service.d/${file}`;

/** Returns the services whose unit is on this host. */
export function installedServices(places: ConfinePaths): readonly ConfinedService[] {
  const fpms = [...new Set(places.unitDirectories.flatMap(namesIn))]
    .map((file) => file.replace(/\.service$/, ''))
    .filter((name) => /^php\d+\.\d+-fpm$/.test(name))
    .toSorted();
  return profiles
    .flatMap(({ service }) => (service === 'php-fpm' ? fpms : [service]))
    .flatMap((name) => findService(places, name) ?? []);
}

/** Finds a service by the name of a unit or an alias of the profile. */
export function findService(places: ConfinePaths, asked: string): ConfinedService | undefined {
  const profile = profileOf(asked);
  if (profile === undefined) return undefined;
  const name = profile.aliases.includes(asked) ? profile.service : asked;
  const fragment = fragmentOf(places, name);
  if (fragment === undefined) return undefined;
  // On Debian 12 this unit does nothing: each instance of Postfix has its own unit.
  const isShell = name === 'postfix' && /^Type=oneshot$/m.test(readText(fragment) ?? '');
  return { name, unit: isShell ? 'postfix@-' : name, profile };
}

/** Returns the path of the unit's own file; undefined if it is masked. */
function fragmentOf({ unitDirectories }: ConfinePaths, unit: string): string | undefined {
  for (const directory of unitDirectories) {
    const path = `${directory}/${unit}.service`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    return stat.isSymbolicLink() && readlinkSync(path) === '/dev/null' ? undefined : path;
  }
  return undefined;
}
