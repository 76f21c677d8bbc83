/**
 * Shifts the caps of a total: the lanes' usage in one tick → their caps for the next.
 *
 * - A lane that filled its cap demands more; any other demands what it used plus a quarter. The total
 *   is divided among these demands, and lanes that demand more get the rest in equal parts. So one
 *   busy lane has the whole total after one tick, and two that are both full have half each.
 * - Usage above the total is a debt, deducted from the total of the next tick. Debts are
 *   never negative: using less saves nothing up.
 * - An idle lane keeps its floor. If all are idle, caps are equal, as without an agent.
 *
 * Alternating between lanes gains nothing: at each moment all caps together are at most the total plus an eighth, and a
 * gain from that eighth is paid back. Pure.
 */
import {
  divide,
  floorOf,
  isShared,
  repaidPart,
  restingCaps,
  sum,
  wholeCaps,
  type Share,
} from './share.ts';

interface LaneUse {
  /** The caps in force during the tick. */
  readonly cap: number;
  /** The usage counted during the tick; some kernels include requests that are still queued. */
  readonly used: number;
  /** The size of one operation: a lane this near its cap has filled it. */
  readonly grain: number;
}

export interface TickLength {
  /** The length of the tick. */
  readonly seconds: number;
  /** The planned length of the next tick. */
  readonly interval: number;
}

interface Shifted {
  readonly caps: readonly number[];
  readonly debt: number;
}

/** The share of a cap from which the cap holds usage back. */
const filled = 0.9;
const headroom = 1.25;
/** The kernel grants a slice of time in advance when a cap is changed. Source: blk-throttle.c. */
const sliceSeconds = 0.1;
/** A debt below this part of the total is ignored. */
const smallDebt = 1 / 32;

export function shiftCaps(
  share: Share,
  lanes: readonly LaneUse[],
  { seconds, interval }: TickLength,
  debtBefore: number,
): Shifted {
  const { total, max } = share;
  if (!isShared(share)) return { caps: max, debt: 0 };
  const passed = lanes.map(({ cap, used, grain }) =>
    Math.min(used, cap * (seconds + sliceSeconds) + grain),
  );
  const largestDebt = total * interval * repaidPart;
  const debt = clamp(debtBefore + sum(passed) - total * seconds, largestDebt);
  if (lanes.every(({ used }) => used <= 0)) return { caps: restingCaps(share), debt };
  const isFull = ({ cap, used, grain }: LaneUse) =>
    used > 0 && used + grain >= filled * cap * seconds;
  const indebted = debt > total * interval * smallDebt;
  if (!indebted && !lanes.some(isFull)) return { caps: lanes.map(({ cap }) => cap), debt };
  const wants = lanes.map((lane, index) => {
    const bound = max[index] ?? Infinity;
    if (isFull(lane)) return bound;
    return Math.min(bound, ((passed[index] ?? 0) / seconds) * headroom);
  });
  return { caps: wholeCaps(share, spread(total - debt / interval, wants, max)), debt };
}

/** Spreads the rest over the lanes in use, or over all: the caps add up to the budget. */
function spread(
  budget: number,
  wants: readonly number[],
  max: readonly number[],
): readonly number[] {
  const wanted = divide(budget, wants);
  const roomIn = (given: readonly number[], isMeant: (lane: number) => boolean) =>
    given.map((each, lane) => (isMeant(lane) ? (max[lane] ?? Infinity) - each : 0));
  const add = (given: readonly number[], room: readonly number[]) => {
    const more = divide(Math.max(0, budget - sum(given)), room);
    return given.map((each, lane) => each + (more[lane] ?? 0));
  };
  const inUse = add(
    wanted,
    roomIn(wanted, (lane) => (wants[lane] ?? 0) > 0),
  );
  return add(
    inUse,
    roomIn(inUse, () => true),
  );
}

const clamp = (value: number, max: number) => Math.min(max, Math.max(0, value));

/** Whether caps differ enough to be worth writing. */
export function isWorthWriting(
  share: Share,
  before: readonly number[],
  after: readonly number[],
): boolean {
  const min = Math.max(1, Math.min(...share.max.map((_, lane) => floorOf(share, lane))) / 2);
  return after.some((cap, lane) => Math.abs(cap - (before[lane] ?? 0)) >= min);
}
