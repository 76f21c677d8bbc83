/** The vertical axis: its unit in words, and steps at which people expect lines. */
import { metricWords } from './metric-words.ts';
import type { MetricKey, MetricUnit } from '../metrics.ts';
import { metrics } from '../metrics.ts';

export interface ValueAxis {
  /** The unit in words: `mebibytes per second`. */
  readonly words: string;
  /** The value at the upper edge. */
  readonly highest: number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

interface Scale {
  readonly words: string;
  /** The short form for a single value: ` MiB`. */
  readonly suffix: string;
  readonly size: number;
}

const byteScales: readonly Scale[] = [
  { words: 'bytes', suffix: ' bytes', size: 1 },
  { words: 'kibibytes', suffix: ' KiB', size: 2 ** 10 },
  { words: 'mebibytes', suffix: ' MiB', size: 2 ** 20 },
  { words: 'gibibytes', suffix: ' GiB', size: 2 ** 30 },
  { words: 'tebibytes', suffix: ' TiB', size: 2 ** 40 },
];

const one = (words: string, suffix: string, size = 1): readonly Scale[] => [
  { words, suffix, size },
];

const perSecond = (scales: readonly Scale[]) =>
  scales.map((each) => ({
    ...each,
    words: `${each.words} per second`,
    suffix: `${each.suffix}/s`,
  }));

const scales: Readonly<Record<MetricUnit, readonly Scale[]>> = {
  fraction: one('percent of the time', ' %', 0.01),
  bytes: byteScales,
  bytesPerSecond: perSecond(byteScales),
  perSecond: perSecond(one('operations', '')),
  count: one('number', ''),
};

const cores = one('percent of one core', ' %', 0.01);

const scalesOf = (metric: MetricKey) =>
  metricWords[metric].isOfCore === true ? cores : scales[metrics[metric].unit];

const isBinary = (metric: MetricKey) => metrics[metric].unit.startsWith('bytes');

/** The largest scale of which there is at least one. */
function scaleFor(metric: MetricKey, value: number): Scale {
  const all = scalesOf(metric);
  const [first = { words: '', suffix: '', size: 1 }] = all;
  return all.findLast(({ size }) => value >= size) ?? first;
}

const ticksMax = 5;

export function valueAxis(metric: MetricKey, max: number): ValueAxis {
  // One gibibyte has its lines at 256 mebibytes, not at a quarter.
  const scale = scaleFor(metric, max / 2);
  const step = stepFor(metric, max / scale.size) * scale.size;
  const count = Math.max(1, Math.ceil(max / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const value = index * step;
    return { value, label: numberText(value / scale.size) };
  });
  return { words: scale.words, highest: count * step, ticks };
}

/** Returns a step of 1, 2 or 5 times a power of ten; of bytes, a power of two. */
function stepFor(metric: MetricKey, max: number): number {
  const least = metrics[metric].unit === 'count' ? 1 : 0;
  if (max <= 0) return 1;
  const rough = max / ticksMax;
  if (isBinary(metric)) return Math.max(least, 2 ** Math.ceil(Math.log2(rough)));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) ?? 10;
  return Math.max(least, step * power);
}

const numberText = (value: number) =>
  new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 4 }).format(value);

/** Formats one value with its unit: `620 MiB`, `69 %`. */
export function valueText(metric: MetricKey, value: number): string {
  const { size, suffix } = scaleFor(metric, value);
  const digits = new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 3 });
  const amount = value / size;
  return `${amount >= 1000 ? numberText(Math.round(amount)) : digits.format(amount)}${suffix}`;
}
