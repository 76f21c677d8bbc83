/**
 * How a tenant that owes is paused: in slices, between which it runs for a moment, so that nothing that waits for it
 * (a web server, a health check) gives up.
 *
 *     owes  ──────────────────────────────────────┐
 *     frozen  0.95 s │ 50 ms │ 0.95 s │ 50 ms │ …  └ thawed
 *
 * Times are of the monotonic clock, in microseconds.
 */

export interface Slice {
  readonly isFrozen: boolean;
  /** The time at which that began. */
  readonly since: number;
}

/** No pause may be longer than a second. The timer that ends it may be late. */
export const pauseMicroseconds = 950_000;
export const breathMicroseconds = 50_000;

/** Returns what is to be so now; the same object if nothing changes. */
export function nextSlice(slice: Slice, owes: boolean, now: number): Slice {
  const isOver = changesIn(slice, now) === 0;
  if (slice.isFrozen) return owes && !isOver ? slice : { isFrozen: false, since: now };
  return owes && isOver ? { isFrozen: true, since: now } : slice;
}

/** Returns the time until the slice of a tenant that owes is over; 0 if the clock went back, which ends it. */
export function changesIn({ isFrozen, since }: Slice, now: number): number {
  const length = isFrozen ? pauseMicroseconds : breathMicroseconds;
  return now < since ? 0 : Math.max(0, since + length - now);
}
