/**
 * The paths of everything that belongs to one PHP version. Root owns all of it.
 *
 *     /etc/bulkhead/fpm/8.4/tenants            tenants with a service (core/fpm/service/choice.ts)
 *                           1001.conf          the configuration of a tenant's master, for its group to read
 *                           php-fpm.conf       the file that the distribution's service reads
 *                           pools/1/…          links to the pool files that it keeps
 *                           left-out           the pool files that it does not, for bulkhead-fpm-sync
 *     /etc/systemd/system/…                    units (core/fpm/service/units.ts)
 */
import type { UnitSetting } from '../../core/fpm/service/units.ts';
import { distributionUnit, socketsOf } from '../../../layouts/layouts.ts';
import type { Paths } from '../../../host/paths.ts';
import { entryFile, packageFile } from '../../../sys/package-files.ts';
import type { FpmProgram } from '../servers.ts';

export interface FpmLayout extends UnitSetting {
  readonly configuration: string;
  readonly choice: string;
  readonly main: string;
  readonly links: string;
  readonly leftOut: string;
  readonly units: string;
  readonly dropIn: string;
  readonly emptySocket: string;
  readonly lock: string;
  /** The record of what running masters have read (outdated.ts). */
  readonly read: string;
  /** Checks that did not finish (check/unfinished.ts). */
  readonly unfinished: string;
}

const units = '/etc/systemd/system';

const directoryOf = ({ etc, instance }: Paths, php: string) => `${etc}/${instance}/fpm/${php}`;

/** Returns the file that says which tenants have a service of that build. */
export const choicePath = (paths: Paths, php: string): string =>
  `${directoryOf(paths, php)}/tenants`;

export function fpmLayoutOf(paths: Paths, fpm: FpmProgram, hasPollLimit: boolean): FpmLayout {
  const { php, program, configuration } = fpm;
  const directory = directoryOf(paths, php);
  return {
    instance: paths.instance,
    php,
    program,
    configuration,
    hasPollLimit,
    launcher: entryFile('bulkhead-fpm'),
    libexec: packageFile('libexec'),
    directory,
    choice: choicePath(paths, php),
    main: `${directory}/php-fpm.conf`,
    links: `${directory}/pools`,
    leftOut: `${directory}/left-out`,
    units,
    dropIn: `${units}/${distributionUnit(php)}.d/${paths.instance}.conf`,
    emptySocket: `${socketsOf(php)}/${paths.instance}-none-${php}.sock`,
    lock: `${paths.runtime}/fpm-${php}.lock`,
    read: `${paths.runtime}/fpm-${php}.read`,
    unfinished: `${paths.runtime}/fpm-${php}.unfinished`,
  };
}
