/**
 * What was used → which limits would fit.
 *
 * A use that stood at its limit says only that more was wanted, not how much: half as much again is
 * proposed then. Elsewhere a tenth is added to what was seen, and the sum rounded up to a figure that
 * people would write.
 */
import type { LimitKey } from '../limits/limit.ts';
import { attributeOf } from '../limits/limits.ts';
import { printQuantity, type Quantity, type QuantityKind } from '../units/quantity.ts';
import type { MetricKey } from './metrics.ts';

/** The limits that are advised on, and the use that each bounds. */
export const advised: readonly (readonly [limit: LimitKey, metric: MetricKey])[] = [
  ['cpu.limit', 'cpu'],
  // Page cache fills whatever it is given, and is taken back.
  ['memory.limit', 'anonymous'],
  ['io.read', 'read'],
  ['io.write', 'write'],
  ['io.reads', 'reads'],
  ['io.writes', 'writes'],
  ['processes.limit', 'threads'],
];

export interface Seen {
  /** The least that all but 1 % of the time did not exceed, and the most. */
  readonly p99: number;
  readonly max: number;
}

export interface Proposal {
  readonly never: number;
  readonly onePercent: number;
}

const headroom = 1.1;
const beyondLimit = 1.5;
const atLimit = 0.95;

export function propose(key: LimitKey, { p99, max }: Seen, limit: number | undefined): Proposal {
  const fit = (seen: number) => {
    const wanted =
      limit !== undefined && seen >= atLimit * limit ? limit * beyondLimit : seen * headroom;
    return roundUp(key, wanted);
  };
  const never = fit(max);
  return { never, onePercent: Math.min(never, fit(p99)) };
}

const least: Readonly<Partial<Record<QuantityKind, number>>> = {
  cpu: 0.1,
  bytes: 64 * 2 ** 20,
  bytesPerSecond: 2 ** 20,
  perSecond: 100,
  count: 20,
};

/** To two digits: tenths of a core, 64 MiB, 1 MiB/s, hundreds, tens. */
function roundUp(key: LimitKey, value: number): number {
  const step = least[attributeOf(key).kind] ?? 1;
  const coarse = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value / step))) - 1);
  const whole = Math.ceil(Math.max(value, step) / (step * coarse) - 1e-9) * coarse;
  // Tenths of a core are no whole numbers of binary fractions.
  return Number((whole * step).toFixed(3));
}

export const printLimit = (key: LimitKey, value: number): string =>
  printQuantity(attributeOf(key).kind, value as Quantity);
