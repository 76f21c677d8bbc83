/**
 * What was used → which limits would fit.
 *
 * A limit that was hit, or a use that stood at it, says only that more was wanted, not how much: half
 * as much again is proposed then, never as much or less. Elsewhere a tenth is added to what was seen,
 * and the sum rounded up to a figure that people would write.
 */
import type { LimitKey } from '../limits/limit.ts';
import { limitAttribute } from '../limits/limits.ts';
import { printQuantity, type Quantity, type QuantityKind } from '../base/quantity.ts';
import type { MetricKey } from './metrics.ts';
import { times } from './numbers.ts';

/** The limits that are advised on, and the use that each bounds; its peaks count, where it has any. */
export const advised: readonly (readonly [limit: LimitKey, metric: MetricKey])[] = [
  ['cpu.limit', 'cpu'],
  // Page cache fills whatever it is given, and is taken back.
  ['memory.limit', 'anonymous'],
  ['io.read', 'read'],
  ['io.write', 'write'],
  ['io.total', 'total'],
  ['io.reads', 'reads'],
  ['io.writes', 'writes'],
  ['io.operations', 'operations'],
  ['processes.limit', 'threads'],
];

export interface Seen {
  /** The least that all but 1 % of the time did not exceed, and the most. */
  readonly p99: number;
  readonly max: number;
}

/** A limit that was hit in the period. */
export interface Hit {
  /** How often: the faults of the period. */
  readonly count: number;
  /** The highest value that the limit had then; absent where it was hit without one. */
  readonly at: number | undefined;
}

export interface Proposal {
  readonly never: number;
  readonly onePercent: number;
}

const headroom = 1.1;
const beyondLimit = 1.5;
const atLimit = 0.95;

export function propose(
  key: LimitKey,
  { p99, max }: Seen,
  limit: number | undefined,
  hit?: Hit,
): Proposal {
  const floor = (hit?.at ?? 0) * beyondLimit;
  const fit = (seen: number) => {
    const stood = limit !== undefined && seen >= atLimit * limit ? limit * beyondLimit : 0;
    return roundUp(key, Math.max(floor, stood, seen * headroom));
  };
  const never = fit(max);
  return { never, onePercent: Math.min(never, fit(p99)) };
}

/** Why more is proposed than was seen. */
export function reasonOf(key: LimitKey, { count, at }: Hit): string {
  const often = `hit ${times(count)}`;
  if (at === undefined) return `${often} without a limit of its own, by that of another cgroup`;
  return `${often} at ${printLimit(key, at)}: more is needed, how much cannot be known until it is raised`;
}

const min: Readonly<Partial<Record<QuantityKind, number>>> = {
  cpu: 0.1,
  bytes: 64 * 2 ** 20,
  bytesPerSecond: 2 ** 20,
  perSecond: 100,
  count: 20,
};

/** To two digits: tenths of a core, 64 MiB, 1 MiB/s, hundreds, tens. */
function roundUp(key: LimitKey, value: number): number {
  const step = min[limitAttribute(key).kind] ?? 1;
  const coarse = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value / step))) - 1);
  const whole = Math.ceil(Math.max(value, step) / (step * coarse) - 1e-9) * coarse;
  // Tenths of a core are no whole numbers of binary fractions.
  return Number((whole * step).toFixed(3));
}

export const printLimit = (key: LimitKey, value: number): string =>
  printQuantity(limitAttribute(key).kind, value as Quantity);
