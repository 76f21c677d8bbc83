/**
 * How the caps of a total move: what the lanes used in one tick → their caps for the next.
 *
 * - A lane that filled its cap wants more; any other wants what it used and a quarter on top. The
 *   total is divided among these wishes, and whoever wants more gets what is left in equal parts. So
 *   one lane alone has the whole total after one tick, and two that are both full have half each.
 * - What was passed above the total is a debt, and is taken off the total of the next tick. Debts
 *   are never negative: nothing is saved up by using less.
 * - A lane that is not in use keeps its floor. Nobody in use: equal caps, as without an agent.
 *
 * Whoever alternates between lanes gains nothing: at each moment all caps together are no more than
 * the total and an eighth, and what was gained by that eighth is paid back. Pure.
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

export interface LaneUse {
  /** In force during the tick. */
  readonly cap: number;
  /** Counted during the tick; some kernels count what still waits for its turn. */
  readonly used: number;
  /** Size of one operation: a lane that is this near its cap has filled it. */
  readonly grain: number;
}

export interface TickLength {
  /** How long the tick was. */
  readonly seconds: number;
  /** How long the next one should be. */
  readonly interval: number;
}

export interface Shifted {
  readonly caps: readonly number[];
  readonly debt: number;
}

/** A use that stands this near its cap is held by it. */
const filled = 0.9;
const headroom = 1.25;
/** The kernel grants a slice of time in advance when a cap is changed. Source: blk-throttle.c. */
const sliceSeconds = 0.1;
/** A debt that is a smaller part of the total than this does not yet change anything. */
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

/** What nobody wants goes to those who are in use, then to all: all caps together are the budget. */
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

/** Whether caps differ by so much that writing them is worth it. */
export function isWorthWriting(
  share: Share,
  before: readonly number[],
  after: readonly number[],
): boolean {
  const min = Math.max(1, Math.min(...share.max.map((_, lane) => floorOf(share, lane))) / 2);
  return after.some((cap, lane) => Math.abs(cap - (before[lane] ?? 0)) >= min);
}
