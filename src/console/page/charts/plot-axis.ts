/** The axis of values: it begins at zero, and has the limit and the highest value on it. */
import type { MetricUnit } from '../../../usage/metrics.ts';
import type { PlotContent } from './plot-content.ts';

/** The values below which an axis does not end, so that noise stays small. */
const topMin: Readonly<Record<MetricUnit, number>> = {
  fraction: 0.1,
  bytes: 2 ** 24,
  bytesPerSecond: 2 ** 17,
  perSecond: 10,
  count: 4,
};
/** The space above the highest value, so that a line at the limit can be seen. */
const headroom = 1.05;
const stepsMax = 4;

export function axisTop({
  lines,
  limit = 0,
  unit,
}: Pick<PlotContent, 'lines' | 'limit' | 'unit'>): number {
  const highest = lines
    .flatMap(({ values }) => values)
    .reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
  return Math.max(highest, limit, topMin[unit]) * headroom;
}

/** Returns the marked values; bytes have binary steps. */
export function axisSteps(top: number, unit: MetricUnit): number[] {
  const step = stepOf(top / headroom / stepsMax, unit);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, at) => at * step);
}

function stepOf(least: number, unit: MetricUnit): number {
  if (unit === 'bytes' || unit === 'bytesPerSecond') return 2 ** Math.ceil(Math.log2(least));
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= least) ?? 10;
  const step = factor * power;
  return unit === 'count' || unit === 'perSecond' ? Math.max(1, Math.ceil(step)) : step;
}

const minuteSteps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const daySteps = [1, 2, 7, 14, 28, 56, 112];
const minuteMilliseconds = 60_000;
const dayMilliseconds = 24 * 60 * minuteMilliseconds;

/** Returns the marked moments of a period, at most `countMax`: whole parts of an hour, of a day, or days of the clock here. */
export function timeSteps(from: number, to: number, countMax: number): readonly number[] {
  const least = (to - from) / countMax;
  const minutes = minuteSteps.find((each) => each * minuteMilliseconds >= least);
  const days =
    daySteps.find((each) => each * dayMilliseconds >= least) ?? Math.ceil(least / dayMilliseconds);
  const start = new Date(from);
  const [year, month, day] = [start.getFullYear(), start.getMonth(), start.getDate()];
  // The calendar counts, not the milliseconds: a day may have 23 or 25 hours.
  const stepAt = (at: number) =>
    minutes === undefined
      ? new Date(year, month, day + at * days)
      : new Date(year, month, day, 0, at * minutes);
  const steps = new Set<number>();
  for (let at = 0; stepAt(at).getTime() <= to; at++) {
    const moment = stepAt(at).getTime();
    if (moment >= from) steps.add(moment);
  }
  return [...steps];
}
