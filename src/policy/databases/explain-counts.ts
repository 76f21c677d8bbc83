/** Explains whether the CPU time of database servers counts toward a tenant's CPU limit. */
import type { DatabaseCounts } from '../../limits/database.ts';
import { formatQuantity, type CpuFraction } from '../../../packages/base/quantity.ts';
import type { LineIndex } from '../diagnostic.ts';
import { writtenPlace } from '../fleet/merged.ts';
import type { Chain, Link } from '../policy.ts';
import { databaseCountsOriginOf } from './counted-cpu.ts';

/** Whether it counts, and the line that says so. */
export interface ExplainedCounts {
  /** Whether it counts: `yes` or `no`. */
  readonly counts: DatabaseCounts;
  /** The element: `defaults`, `package "gold"`, `the tenant itself`. */
  readonly from: string;
  /** The line of the policy. */
  readonly line: number;
  /** The file of the line, if it is not the policy's own. */
  readonly file?: string;
  /** The CPU limit that is in force now, as the policy would write it; absent if it is not lowered. */
  readonly limitNow?: string;
}

export function explainCounts(
  chain: Chain,
  lines: LineIndex,
  describe: (link: Link) => string,
): ExplainedCounts | undefined {
  const origin = databaseCountsOriginOf(chain);
  if (origin === undefined) return undefined;
  const place = writtenPlace(lines, origin.at);
  return { counts: origin.at.value, from: describe(origin.link), ...place };
}

/** Adds the CPU limit of now, in cores, to an explanation. */
export function withLimitNow<Explained extends { readonly databaseCounts?: ExplainedCounts }>(
  explained: Explained,
  cores: number | undefined,
): Explained {
  const { databaseCounts: counts } = explained;
  if (counts === undefined || cores === undefined) return explained;
  const limitNow = formatQuantity('cpu', (Math.round(cores * 1000) / 1000) as CpuFraction);
  return { ...explained, databaseCounts: { ...counts, limitNow } };
}
