/**
 * Past usage → the limits that would fit.
 *
 * A limit that was hit, or usage at the limit, shows only that more was wanted, not how much. The advice is then one
 * and a half times the limit, never the limit or less. Otherwise it is the usage plus a tenth, rounded up to a value
 * that people would write.
 *
 * A lower limit needs a day of history: less has no night, no backup and no busy hour. A package's needs that of more
 * than half of its tenants, since it lowers the limit of all of them.
 */
import type { LimitKey } from '../limits/limit.ts';
import { limitAttribute } from '../limits/limits.ts';
import {
  formatQuantity,
  unlimited,
  type Quantity,
  type QuantityKind,
} from '../../packages/base/quantity.ts';
import type { MetricKey } from './metrics.ts';
import { times } from './numbers.ts';

/** The limits with advice, and the metric that each limits; its peaks count, if it has any. */
export const advised: readonly (readonly [limit: LimitKey, metric: MetricKey])[] = [
  ['cpu.limit', 'cpu'],
  // Page cache fills whatever is available, and is reclaimed.
  ['memory.limit', 'anonymous'],
  ['io.read', 'read'],
  ['io.write', 'write'],
  ['io.total', 'total'],
  ['io.reads', 'reads'],
  ['io.writes', 'writes'],
  ['io.operations', 'operations'],
  ['processes.limit', 'threads'],
  ['database.cpu', 'databaseCpu'],
  ['database.connections', 'databaseConnections'],
  ['network.send', 'sent'],
  ['network.receive', 'received'],
];

export interface SeenUsage {
  /** The 99th percentile over time, and the maximum. */
  readonly p99: number;
  readonly max: number;
}

/** A limit that was hit in the period. */
export interface Hit {
  /** The number of faults in the period. */
  readonly count: number;
  /** The highest value of the limit at the time; absent if the member had no limit of its own. */
  readonly at: number | undefined;
}

/** Infinity: no limit. */
export interface Proposal {
  readonly never: number;
  readonly onePercent: number;
}

/** The least history from which a lower limit is proposed. */
export const historySecondsMin = 86_400;

/** Whether so many tenants with a day of history are enough to lower the limit of a package. */
export const areEnough = (known: number, tenants: number): boolean => known * 2 > tenants;

const headroom = 1.1;
const beyondLimit = 1.5;
const atLimit = 0.95;

export function propose(
  key: LimitKey,
  { p99, max }: SeenUsage,
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

/** Raises a proposal to the current limit; undefined: there is none. */
export const notBelow = (
  { never, onePercent }: Proposal,
  current: number | undefined,
): Proposal => {
  const least = current ?? Infinity;
  return { never: Math.max(never, least), onePercent: Math.max(onePercent, least) };
};

/** Returns why more is proposed than was used. */
export function adviceReason(key: LimitKey, { count, at }: Hit): string {
  const often = `hit ${times(count)}`;
  if (at === undefined)
    return `${often} without a limit of its own: that of another cgroup applied`;
  return `${often} at ${formatLimit(key, at)}: more is needed; how much is unknown until it is raised`;
}

const min: Readonly<Partial<Record<QuantityKind, number>>> = {
  cpu: 0.1,
  bytes: 64 * 2 ** 20,
  bytesPerSecond: 2 ** 20,
  perSecond: 100,
  count: 20,
};

/** Rounds up to two digits, in steps of tenths of a core, 64 MiB, 1 MiB/s, hundreds, tens. */
function roundUp(key: LimitKey, value: number): number {
  const step = min[limitAttribute(key).kind] ?? 1;
  const coarse = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value / step))) - 1);
  const whole = Math.ceil(Math.max(value, step) / (step * coarse) - 1e-9) * coarse;
  // Tenths are not exact in binary.
  return Number((whole * step).toFixed(3));
}

export const formatLimit = (key: LimitKey, value: number): string =>
  value === Infinity ? unlimited : formatQuantity(limitAttribute(key).kind, value as Quantity);
