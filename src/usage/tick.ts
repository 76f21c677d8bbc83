/**
 * One sample of all members, in columns: `columns.cpu[3]` is the CPU of `members[3]`.
 *
 * Idle members are left out. A tenant is idle if it had no process and used nothing; page cache that
 * it left behind does not count as usage.
 */
import type { Member } from './member.ts';
import { metricKeys, type MetricKey } from './metrics.ts';
import type { PartKey } from './part-keys.ts';

export type Columns = Readonly<Record<MetricKey, Float32Array>>;

export interface Tick {
  /** The end of the tick: milliseconds since 1970, by the wall clock, which may jump. */
  readonly at: number;
  /** The length of the tick, by a monotonic clock. */
  readonly seconds: number;
  readonly members: readonly Member[];
  readonly columns: Columns;
  /** The metrics known by parts of the agent; none if absent. They are zero for tenants that are left out. */
  readonly known?: readonly PartKey[];
}

export function emptyColumns(length: number): Columns {
  const columns = metricKeys.map((key) => [key, new Float32Array(length)] as const);
  return Object.fromEntries(columns) as Record<MetricKey, Float32Array>;
}
