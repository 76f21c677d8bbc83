/**
 * The lower limits of two chains. An account that keeps its last package has them: a reseller may have chosen both the
 * plan that gave it the package and the plan that the policy does not have, and neither may lift a limit.
 */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import { countsDatabases } from '../databases/counted-cpu.ts';
import { hasRefusals, isPrivate } from '../network/reach-origins.ts';
import {
  hasOwnDatabase,
  jailOf,
  ownAppsMaxOf,
  valuesOf,
  type Chain,
  type Link,
} from '../policy.ts';

/**
 * Returns a chain with the lower value of each limit, and of the number of own applications; the first chain's if they are
 * equal. It has a database server of its own only if both have one, and the CPU time of shared servers counts if it does in
 * one of them. The first chain decides the jail and what the tenant may reach and open, unless only the other one restricts
 * it, and who may set limits of sites, which are within the tenant's.
 */
export function lowerOf(first: Chain, other: Chain): Chain {
  const [ones, others] = [valuesOf(first), valuesOf(other)];
  const isLower = (key: LimitKey) => sizeOf(key, others) < sizeOf(key, ones);
  const byFirst: Decides = {
    jail: jailOf({ chain: first }) !== undefined || jailOf({ chain: other }) === undefined,
    reach: hasRefusals(first) || !hasRefusals(other),
    listen: isPrivate(first) || !isPrivate(other),
    ownApps: ownAppsMaxOf({ chain: first }) <= ownAppsMaxOf({ chain: other }),
    databaseInstance: !hasOwnDatabase({ chain: first }) || hasOwnDatabase({ chain: other }),
    databaseCounts: countsDatabases({ chain: first }) || !countsDatabases({ chain: other }),
  };
  return [
    ...first.map((link) => ({
      ...partOf(
        link,
        (key) => !isLower(key),
        (part) => byFirst[part],
      ),
      ...settersOf(link),
    })),
    ...other
      .map((link) => partOf(link, isLower, (part) => !byFirst[part]))
      .filter((link) => link.written.size > 0 || parts.some((part) => link[part] !== undefined)),
  ];
}

/** Parts that one of the chains decides as a whole. */
const parts = ['jail', 'reach', 'listen', 'ownApps', 'databaseInstance', 'databaseCounts'] as const;
type Part = (typeof parts)[number];
type Decides = Readonly<Record<Part, boolean>>;

function sizeOf(key: LimitKey, values: LimitValues): number {
  const value = values[key] ?? limitAttribute(key).fallback;
  return value === unlimited ? Infinity : value;
}

const partOf = (
  link: Link,
  has: (key: LimitKey) => boolean,
  decides: (part: Part) => boolean,
): Link => ({
  kind: link.kind,
  name: link.name,
  written: new Map([...link.written].filter(([key]) => has(key))),
  ...Object.fromEntries(
    parts.flatMap((part) => (decides(part) && link[part] ? [[part, link[part]]] : [])),
  ),
});

const settersOf = ({ siteLimits }: Link): Pick<Link, 'siteLimits'> =>
  siteLimits === undefined ? {} : { siteLimits };
