/** The CPU time that servers have used for one tenant in the last seconds. Times are of a monotonic clock. */

const windowMicroseconds = 10_000_000;
/** It uses nothing any more. */
const idleMicroseconds = 2_000_000;
/** More is none: it comes from a process that is not trusted. */
const coresMax = 10_000;
/** Uses are kept together, so that ten looks in a second take no more memory than one. */
const bucketMicroseconds = 500_000;

interface Bucket {
  readonly from: number;
  used: number;
}

export class RecentUse {
  #buckets: Bucket[] = [];
  #since = 0;
  #latest = -Infinity;

  /** Adds what was used in the time before `now`; less than nothing if it was counted before. */
  add(usedMicroseconds: number, elapsedMicroseconds: number, now: number): void {
    const isIdle = this.#isIdle(now);
    if (!(Math.abs(usedMicroseconds) <= coresMax * elapsedMicroseconds)) return;
    if (usedMicroseconds === 0 || (usedMicroseconds < 0 && isIdle)) return;
    if (isIdle) {
      this.#buckets = [];
      this.#since = now - elapsedMicroseconds;
    }
    if (usedMicroseconds > 0) this.#latest = now;
    const last = this.#buckets.at(-1);
    if (last !== undefined && now - last.from < bucketMicroseconds) last.used += usedMicroseconds;
    else this.#buckets.push({ from: now, used: usedMicroseconds });
  }

  #isIdle(now: number): boolean {
    return now - this.#latest > idleMicroseconds;
  }

  /** Returns the average of the last 10 s, in cores, or of the time since it began to use any; 0 if it has stopped. */
  average(now: number): number {
    if (this.#isIdle(now)) return 0;
    this.#buckets = this.#buckets.filter(({ from }) => now - from < windowMicroseconds);
    const used = this.#buckets.reduce((sum, each) => sum + each.used, 0);
    const elapsed = Math.min(windowMicroseconds, now - this.#since);
    return Math.max(0, used / Math.max(bucketMicroseconds, elapsed));
  }
}
