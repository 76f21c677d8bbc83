/** Computes the usage between two samples of counters. Pure; time is an argument. */
import type { Counters } from '../limits/limit.ts';
import type { Member } from './member.ts';
import { metricKeys, metrics, type MetricKey } from './metrics.ts';
import { isPartKey, partKeys, type PartFigures } from './part-keys.ts';
import { emptyColumns, type Tick } from './tick.ts';

export interface Reading {
  readonly member: Member;
  /** The counters at the previous tick; absent if the cgroup was not known then. */
  readonly before: Readonly<Counters> | undefined;
  readonly now: Readonly<Counters>;
  /** The time between the two; the tick's length if absent. */
  readonly seconds?: number;
  /** The figures that parts of the agent know; absent while none is known. */
  readonly figures?: PartFigures;
}

/**
 * Returns the growth. A counter that went back belongs to a cgroup that was created again, and
 * starts from zero.
 */
export const counterGrowth = (before: number, now: number): number => Math.max(0, now - before);

/**
 * Returns the value of one metric: a rate needs a `before`, and is zero without it. What parts of the agent know is
 * not a number while it is unknown.
 */
export function valueOf(key: MetricKey, reading: Reading, seconds: number): number {
  if (isPartKey(key)) return reading.figures?.[key] ?? NaN;
  const { kind, counter, plus, minus, scale, peakOf } = metrics[key];
  const { before, now } = reading;
  const level = now[counter] - (minus === undefined ? 0 : now[minus]);
  if (peakOf !== undefined) {
    const sample = valueOf(peakOf, reading, seconds);
    // An unchanged reading has no high-water mark of its own.
    return before === now ? sample : Math.max(sample, level);
  }
  if (kind === 'level') return level;
  if (before === undefined || seconds <= 0) return 0;
  const more = plus === undefined ? 0 : counterGrowth(before[plus], now[plus]);
  return ((counterGrowth(before[counter], now[counter]) + more) * scale) / seconds;
}

/** Whether the cgroup is idle. The reader returns the same object while nothing changes. */
const isIdle = ({ before, now, figures = {} }: Reading) =>
  now.threads === 0 &&
  (before ?? now) === now &&
  Object.values(figures).every((each) => each === 0);

export function measure(readings: readonly Reading[], at: number, seconds: number): Tick {
  const busy = readings.filter((each) => !isIdle(each));
  const columns = emptyColumns(busy.length);
  for (const key of metricKeys) {
    const column = columns[key];
    for (const [index, reading] of busy.entries())
      column[index] = valueOf(key, reading, reading.seconds ?? seconds);
  }
  const known = partKeys.filter((key) =>
    readings.some(({ figures }) => figures?.[key] !== undefined),
  );
  return { at, seconds, members: busy.map((each) => each.member), columns, known };
}
