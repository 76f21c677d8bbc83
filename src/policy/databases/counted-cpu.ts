/**
 * Whether the CPU time that database servers use for a tenant counts toward its CPU limit:
 *
 *     <cpu limit="100%"/>
 *     <database counts="yes"/>
 *
 * It is inherited like a limit, and each tenant has a limit of its own: a reseller's sum is of its tenants' processes.
 */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { DatabaseCounts } from '../../limits/database.ts';
import type { Located } from '../diagnostic.ts';
import type { Chain, Link, Tenant } from '../policy.ts';

/** Returns the element that decides it. */
export function databaseCountsOriginOf(
  chain: Chain,
): { link: Link; at: Located<DatabaseCounts> } | undefined {
  for (const link of chain) {
    if (link.databaseCounts !== undefined) return { link, at: link.databaseCounts };
  }
  return undefined;
}

export const countsDatabases = ({ chain }: { readonly chain: Chain }): boolean =>
  databaseCountsOriginOf(chain)?.at.value === 'yes';

/** Returns the CPU limit toward which it counts, in cores; undefined if there is none, or it does not count. */
export function countedCpuOf({ chain, values }: CountedTenant): number | undefined {
  const limit = values['cpu.limit'];
  if (limit === undefined || limit === unlimited) return undefined;
  return countsDatabases({ chain }) ? limit : undefined;
}

type CountedTenant = Pick<Tenant, 'chain' | 'values'>;
