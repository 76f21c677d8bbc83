/**
 * A total over several lanes, each of which has a cap of its own in the kernel.
 *
 * The kernel bounds each direction of each disk by itself and knows no sum. A total is therefore
 * held by caps that add up to it: equal ones while nothing shifts them (`restingCaps`), and others
 * where somebody moves them towards the lanes in use (`shift.ts`). A lane that is not in use keeps
 * a floor, by which it shows that it is wanted again; all floors together are an eighth of the total.
 */
export interface Share {
  /** A second. */
  readonly total: number;
  /** What each lane may have at most; `Infinity` where nothing but the total bounds it. */
  readonly max: readonly number[];
}

/** The part of a total that lanes which are not in use may pass beside it. */
export const floorPart = 1 / 8;
/** The most by which caps are lowered to make up for what was passed above the total. */
export const repaidPart = 1 / 4;

export const sum = (values: readonly number[]): number =>
  values.reduce((all, each) => all + each, 0);

/** Lanes that cannot reach the total anyway need no sharing. */
export const isShared = ({ total, max }: Share): boolean => total !== Infinity && sum(max) > total;

/** The least cap of a lane; the kernel takes no cap of 0. */
export function floorOf({ total, max }: Share, lane: number): number {
  const part = Math.floor((total * floorPart) / Math.max(1, max.length - 1));
  return Math.min(max[lane] ?? Infinity, Math.max(1, part));
}

/** Divides an amount so that nobody gets more than it wants, and the least served most. */
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

/** What stands while nobody shifts: the total is never exceeded, and no lane is preferred. */
export function restingCaps(share: Share): readonly number[] {
  if (!isShared(share)) return share.max;
  return wholeCaps(share, divide(share.total, share.max));
}

/** As the kernel takes them. */
export const wholeCaps = (share: Share, caps: readonly number[]): readonly number[] =>
  caps.map((cap, lane) => Math.max(floorOf(share, lane), Math.floor(cap)));

/** Whether caps are such as shifting makes them: what was found in the kernel needs no correction. */
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
