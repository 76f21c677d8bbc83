/**
 * Which pids have been handed out since when.
 *
 * The kernel hands pids out in turn, from a low number up to pid_max and around. So whoever was
 * forked after a moment has a pid after the one that was last then, which is the last field of
 * /proc/loadavg:
 *
 *     0.00 0.03 0.00 1/90 4222
 *
 * Samples of it, with the time at which each was known, answer where to begin to look for the
 * children of a process that changed its uid at a given time. A sample may be no more than a
 * lap old: a gap in which all pids could have been handed out forgets those before it.
 *
 * Sources: proc_loadavg(5), proc_sys_kernel(5), idr_alloc_cyclic() in the kernel's alloc_pid().
 */
import { openSync } from 'node:fs';
import { readText } from '../../sys/files/read.ts';
import { readAt } from '../../sys/syscalls.ts';

/** More than two cores can fork; one that is faster is found by the next look at all processes. */
const pidsPerSecondMax = 100_000;
const samplesMax = 4_096;
const betweenMicrosecondsMin = 100;
/** Between two samples this many pids are aimed at, since all of them have to be looked at. */
const pidsATick = 64;
const tickMillisecondsMin = 5;
const tickMillisecondsMax = 250;

export class PidHistory {
  pidMax = 0;
  readonly #fd = openSync('/proc/loadavg', 'r');
  readonly #text = Buffer.alloc(128);
  readonly #times = new Float64Array(samplesMax);
  readonly #pids = new Int32Array(samplesMax);
  /** Samples ever taken, and the first that still counts. */
  #count = 0;
  #first = 0;
  #lapMicroseconds = 0;

  constructor() {
    this.readPidMax();
  }

  /** It can be changed while we run. */
  readPidMax(): void {
    this.pidMax = Number(readText('/proc/sys/kernel/pid_max')) || 32_768;
    this.#lapMicroseconds = (this.pidMax / pidsPerSecondMax) * 1e6;
  }

  /** In less time not all pids can be handed out. */
  get lapMilliseconds(): number {
    return this.#lapMicroseconds / 1_000;
  }

  /** The pid that was handed out last. */
  last(): number {
    const length = readAt(this.#fd, this.#text, 0);
    let at = length - 1;
    while (at > 0 && this.#text[at - 1] !== 0x20) at--;
    return Number(this.#text.toString('latin1', at, length - 1));
  }

  /** Milliseconds until the next one is due. */
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

  /** The pid that was last at some moment before the given one; nothing where none is known. */
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

  /** How many pids are after `from`, up to and with `to`. */
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
