/**
 * A total over several lanes, each with its own cap in the kernel.
 *
 * The kernel limits each direction of each disk separately and has no sum. So caps that add up to a total enforce it:
 * equal ones while no agent is running (`restingCaps`), otherwise shifted towards the lanes in use (`shift.ts`). An
 * idle lane keeps a floor, so that new demand on it shows; all floors together are an eighth of the total.
 */
export interface Share {
  /** The total per second. */
  readonly total: number;
  /** The maximum for each lane; `Infinity` if only the total limits it. */
  readonly max: readonly number[];
}

/** The part of a total that idle lanes may use in addition. */
export const floorPart = 1 / 8;
/** The maximum by which caps are lowered to compensate for usage above the total. */
export const repaidPart = 1 / 4;

export const sum = (values: readonly number[]): number =>
  values.reduce((all, each) => all + each, 0);

/** Whether lanes need sharing: they do not if together they cannot reach the total. */
export const isShared = ({ total, max }: Share): boolean => total !== Infinity && sum(max) > total;

/** Returns the minimum cap of a lane; the kernel does not accept 0. */
export function floorOf({ total, max }: Share, lane: number): number {
  const part = Math.floor((total * floorPart) / Math.max(1, max.length - 1));
  return Math.min(max[lane] ?? Infinity, Math.max(1, part));
}

/** Divides an amount by max-min fairness. */
export function divide(amount: number, wants: readonly number[]): readonly number[] {
  const given = wants.map(() => 0);
  const wantOf = (lane: number) => wants[lane] ?? 0;
  const modestFirst = wants.map((_, lane) => lane).sort((a, b) => (wantOf(a) < wantOf(b) ? -1 : 1));
  let left = amount;
  for (const [index, lane] of modestFirst.entries()) {
    const part = Math.min(wantOf(lane), left / (wants.length - index));
    given[lane] = part;
    left -= part;
  }
  return given;
}

/** Returns the caps while no agent shifts them: the total is never exceeded, and no lane is preferred. */
export function restingCaps(share: Share): readonly number[] {
  if (!isShared(share)) return share.max;
  return wholeCaps(share, divide(share.total, share.max));
}

/** Rounds caps to whole numbers, as the kernel requires. */
export const wholeCaps = (share: Share, caps: readonly number[]): readonly number[] =>
  caps.map((cap, lane) => Math.max(floorOf(share, lane), Math.floor(cap)));

/** Whether caps could result from shifting, so that the kernel's caps need no correction. */
export function keepsTotal(share: Share, caps: readonly number[]): boolean {
  const { total, max } = share;
  const isInRange = (cap: number, lane: number) =>
    cap >= floorOf(share, lane) && cap <= (max[lane] ?? Infinity);
  if (caps.length !== max.length || !caps.every(isInRange)) return false;
  const all = sum(caps);
  const rounding = caps.length;
  return (
    all <= total * (1 + floorPart) + rounding &&
    all >= Math.min(total, sum(max)) * (1 - repaidPart) - rounding
  );
}
