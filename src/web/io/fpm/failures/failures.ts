/**
 * Finds all present failures of tenants' PHP-FPM services: what the last divisions left undone, and what does not
 * start.
 */
import { AccountNames } from '../../../../host/accounts/account-names.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../../../host/paths.ts';
import { phpOfUnit } from '../../../../layouts/service-names.ts';
import { connectBus } from '../../../../sys/dbus/bus.ts';
import type { FpmFailure } from '../../../core/fpm/failures.ts';
import { listUnits } from '../idle/units.ts';
import { fpmReleaseBlocker } from '../release-blocker.ts';
import { outcomeFailures } from './outcome.ts';

/** Returns no failures if no tenant has a service. If systemd does not answer, its part is left out. */
export async function readFailures(paths: Paths): Promise<readonly FpmFailure[]> {
  if (fpmReleaseBlocker(paths) === undefined) return [];
  return [...outcomeFailures(paths), ...(await failedUnits(paths))];
}

async function failedUnits(paths: Paths): Promise<readonly FpmFailure[]> {
  if (!runsSystemd()) return [];
  const connected = await connectBus();
  if (!connected.ok) return [];
  using bus = connected.value;
  const listed = await listUnits(bus, `${paths.instance}-fpm*@*`, 'failed');
  const units = listed.ok ? listed.value.map(({ unit }) => unit) : [];
  return unitFailures(paths.instance, units, new AccountNames(paths));
}

export const unitFailures = (
  instance: string,
  units: readonly string[],
  names: Pick<AccountNames, 'namesOf'>,
): readonly FpmFailure[] =>
  units.flatMap((unit): readonly FpmFailure[] => {
    const found = phpOfUnit(instance, unit);
    if (found === undefined) return [];
    const { php, uid } = found;
    return [{ kind: 'unit', php, user: names.namesOf(uid)[0] ?? `uid ${uid}`, unit }];
  });
