/**
 * One look at everybody, in columns: `columns.cpu[3]` is the CPU of `members[3]`.
 *
 * Only who was not idle is in it. A tenant is idle that had no process and used nothing; what page
 * cache it has left behind is not counted as its use.
 */
import type { Member } from './member.ts';
import { metricKeys, type MetricKey } from './metrics.ts';

export type Columns = Readonly<Record<MetricKey, Float32Array>>;

export interface Tick {
  /** When it ended: milliseconds since 1970, by the wall clock, which may jump. */
  readonly at: number;
  /** How long it was, by a clock that does not jump. */
  readonly seconds: number;
  readonly members: readonly Member[];
  readonly columns: Columns;
}

export function emptyColumns(length: number): Columns {
  const columns = metricKeys.map((key) => [key, new Float32Array(length)] as const);
  return Object.fromEntries(columns) as Record<MetricKey, Float32Array>;
}
