/**
 * Samples of the last assigned pid over time.
 *
 * The kernel assigns pids in order, from a low number up to pid_max and around. So a process forked
 * after a given time has a pid after the last one of that time, which is the last field of
 * /proc/loadavg:
 *
 *     0.00 0.03 0.00 1/90 4222
 *
 * Samples of it, with their times, show where to start searching for the children of a process that
 * changed its uid at a given time. A sample may be no more than a lap old: after a gap in which all
 * pids could have been assigned, those before it are dropped.
 *
 * Sources: proc_loadavg(5), proc_sys_kernel(5), idr_alloc_cyclic() in the kernel's alloc_pid().
 */
import { openSync } from 'node:fs';
import { readText } from '../../../packages/base/io/read.ts';
import { readAt } from '../../sys/syscalls.ts';

/** More than two cores can fork; beyond that, processes are found by the next full scan. */
const pidsPerSecondMax = 100_000;
const samplesMax = 4_096;
const betweenMicrosecondsMin = 100;
/** The target number of pids between two samples, since all of them have to be inspected. */
const pidsATick = 64;
const tickMillisecondsMin = 5;
const tickMillisecondsMax = 250;

export class PidHistory {
  pidMax = 0;
  readonly #fd = openSync('/proc/loadavg', 'r');
  readonly #text = Buffer.alloc(128);
  readonly #times = new Float64Array(samplesMax);
  readonly #pids = new Int32Array(samplesMax);
  /** The number of samples ever taken, and the first that still counts. */
  #count = 0;
  #first = 0;
  #lapMicroseconds = 0;

  constructor() {
    this.readPidMax();
  }

  /** Reads pid_max, which can change at run time. */
  readPidMax(): void {
    this.pidMax = Number(readText('/proc/sys/kernel/pid_max')) || 32_768;
    this.#lapMicroseconds = (this.pidMax / pidsPerSecondMax) * 1e6;
  }

  /** The shortest time in which all pids can be assigned. */
  get lapMilliseconds(): number {
    return this.#lapMicroseconds / 1_000;
  }

  /** Returns the pid that was assigned last. */
  last(): number {
    const length = readAt(this.#fd, this.#text, 0);
    let at = length - 1;
    while (at > 0 && this.#text[at - 1] !== 0x20) at--;
    return Number(this.#text.toString('latin1', at, length - 1));
  }

  /** Takes a sample; returns the milliseconds until the next one is due. */
  sample(): number {
    const pid = this.last();
    const now = monotonicMicroseconds();
    const before = (this.#count - 1) % samplesMax;
    const gap = this.#count === 0 ? 0 : now - (this.#times[before] ?? 0);
    if (this.#count > 0 && gap < betweenMicrosecondsMin) return tickMillisecondsMin;
    if (gap > this.#lapMicroseconds) this.#first = this.#count;
    const advance = this.#count === 0 ? 0 : this.distance(this.#pids[before] ?? 0, pid);
    this.#times[this.#count % samplesMax] = now;
    this.#pids[this.#count % samplesMax] = pid;
    this.#count++;
    this.#first = Math.max(this.#first, this.#count - samplesMax);
    const tick = ((gap / 1_000) * pidsATick) / Math.max(1, advance);
    const max = Math.min(tickMillisecondsMax, this.#lapMicroseconds / 2_000);
    return Math.ceil(Math.max(tickMillisecondsMin, advance === 0 ? max : Math.min(max, tick)));
  }

  /** Returns the pid that was last at some time before the given one; undefined if unknown. */
  lastBefore(microseconds: number): number | undefined {
    let low = this.#first;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle % samplesMax] ?? 0) < microseconds) low = middle + 1;
      else high = middle;
    }
    return low === this.#first ? undefined : this.#pids[(low - 1) % samplesMax];
  }

  /** Returns the number of pids after `from`, up to and including `to`. */
  distance(from: number, to: number): number {
    return (to - from + this.pidMax) % this.pidMax;
  }

  next(pid: number): number {
    return pid + 1 >= this.pidMax ? 1 : pid + 1;
  }

  previous(pid: number): number {
    return pid <= 1 ? this.pidMax - 1 : pid - 1;
  }
}

export function monotonicMicroseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
