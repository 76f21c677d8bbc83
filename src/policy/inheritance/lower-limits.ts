/**
 * The lower limits of two chains. An account that keeps its last package has them: a reseller may have chosen both the
 * plan that gave it the package and the plan that the policy does not have, and neither may lift a limit.
 */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import {
  hasOwnDatabase,
  jailOf,
  ownAppsMaxOf,
  valuesOf,
  type Chain,
  type Link,
} from '../policy.ts';

/**
 * Returns a chain with the lower value of each limit, and of the number of own applications, and a database
 * server of its own only if both have one; the first chain's if they are equal. The first chain decides the jail, unless only the other one has a jail, and who may set limits of sites, which are within the tenant's.
 */
export function lowerOf(first: Chain, other: Chain): Chain {
  const [ones, others] = [valuesOf(first), valuesOf(other)];
  const isLower = (key: LimitKey) => sizeOf(key, others) < sizeOf(key, ones);
  const hasJail = jailOf({ chain: first }) !== undefined || jailOf({ chain: other }) === undefined;
  const hasApps = ownAppsMaxOf({ chain: first }) <= ownAppsMaxOf({ chain: other });
  const hasDatabase = !hasOwnDatabase({ chain: first }) || hasOwnDatabase({ chain: other });
  return [
    ...first.map((link) => ({
      ...partOf(link, (key) => !isLower(key), {
        jail: hasJail,
        ownApps: hasApps,
        database: hasDatabase,
      }),
      ...settersOf(link),
    })),
    ...other
      .map((link) =>
        partOf(link, isLower, {
          jail: !hasJail,
          ownApps: !hasApps,
          database: !hasDatabase,
        }),
      )
      .filter(
        ({ written, jail, ownApps, databaseInstance }) =>
          written.size > 0 || (jail ?? ownApps ?? databaseInstance) !== undefined,
      ),
  ];
}

function sizeOf(key: LimitKey, values: LimitValues): number {
  const value = values[key] ?? limitAttribute(key).fallback;
  return value === unlimited ? Infinity : value;
}

const partOf = (
  { kind, name, written, jail, ownApps, databaseInstance }: Link,
  has: (key: LimitKey) => boolean,
  decides: { readonly jail: boolean; readonly ownApps: boolean; readonly database: boolean },
): Link => ({
  kind,
  name,
  written: new Map([...written].filter(([key]) => has(key))),
  ...(decides.jail && jail && { jail }),
  ...(decides.ownApps && ownApps && { ownApps }),
  ...(decides.database && databaseInstance && { databaseInstance }),
});

const settersOf = ({ siteLimits }: Link): Pick<Link, 'siteLimits'> =>
  siteLimits === undefined ? {} : { siteLimits };
