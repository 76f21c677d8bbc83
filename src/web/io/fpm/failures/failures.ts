/**
 * Finds all present failures of tenants' PHP-FPM services: what the last divisions left undone, and what does not
 * start.
 */
import { AccountNames } from '../../../../host/accounts/account-names.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../../../host/paths.ts';
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
  return unitFailures(units, new AccountNames(paths));
}

/** `bulkhead-fpm84@1001:shop.example.service`. */
const unitName = /-fpm(\d)(\d+)@(\d{1,10})(?::.*)?\.(?:service|socket)$/;

export const unitFailures = (
  units: readonly string[],
  names: Pick<AccountNames, 'namesOf'>,
): readonly FpmFailure[] =>
  units.flatMap((unit): readonly FpmFailure[] => {
    const [, major, minor, digits] = unitName.exec(unit) ?? [];
    if (digits === undefined) return [];
    const user = names.namesOf(Number(digits))[0] ?? `uid ${digits}`;
    return [{ kind: 'unit', php: `${major}.${minor}`, user, unit }];
  });
