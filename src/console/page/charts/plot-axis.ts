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
