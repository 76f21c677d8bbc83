/**
 * Reads the counters of many cgroups repeatedly, through descriptors that stay open.
 *
 * Opening a cgroup file costs several times what reading it costs, so each cgroup keeps
 * `descriptorsPerCgroup` of them: thirteen. Node raises RLIMIT_NOFILE to its hard limit
 * when it starts; `cgroupsMax` returns how many cgroups fit under a limit.
 *
 * Most files are unchanged most of the time, and unchanged files are not parsed again. Bytes are compared in place,
 * since a string or an object per file would cost more than parsing. So no two files of a cgroup may have a counter in
 * common.
 *
 * A high-water mark is reset right after it was read; a peak within those microseconds is missed. A
 * mark that cannot be reset counts if it has grown.
 *
 * A cgroup that vanished is closed and dropped, and reads as `undefined`. One that was created again
 * under the same name is another cgroup to the kernel: `track` it again.
 */
import { closeSync } from 'node:fs';
import type { CounterFile, Counters } from '../../limits/limit.ts';
import { limits, noCounters, noPeaks, sameCounters } from '../../limits/limits.ts';
import type { CgroupFiles } from './cgroup-files.ts';
import type { Hierarchy } from './hierarchies.ts';
import { readAt, writeBytes } from '../../sys/syscalls.ts';

interface Source {
  readonly files: CgroupFiles;
  readonly counter: CounterFile;
}

interface TrackedCgroup {
  /** One per source; `none` if the cgroup has no such file. */
  readonly descriptors: Int32Array;
  /** The last content of each file, in a slot that ends with a zero byte. */
  readonly said: Uint8Array;
  /** The last values of marks that cannot be reset; `resets` for marks that can. */
  readonly marks: Float64Array;
  /** Replaced, never modified, since readers keep it. */
  counters: Readonly<Counters>;
  /** Readings since something last ran there. */
  quiet: number;
}

/** The kernel returns up to a page at once; longer files take several reads. */
const pageBytes = 4096;
/** The maximum read of a file: some eight thousand processes. */
const bufferBytes = 64 * 1024;
/** Longer contents, as with several disks, are parsed each time. */
const slotBytes = 128;
/** Marks such a slot at its start; no text starts with it. */
const tooLong = 1;
/**
 * The number of readings after the last process for which the other files are still read. A cgroup without processes
 * does not change, except that earlier writes reach the disk later.
 */
const wakefulReadings = 12;

/** Returns the reading order: files that show activity first, then files that depend on another counter. */
function orderOf({ indicatesActivity, follows }: CounterFile): number {
  if (indicatesActivity === true) return 0;
  return follows === undefined ? 1 : 2;
}

function isAsleep(tracked: TrackedCgroup, changed: Counters | undefined): boolean {
  if (changed !== undefined || tracked.counters.threads > 0) {
    // At the first reading everything is new, which does not mean that something ran recently.
    if (tracked.counters !== noCounters) tracked.quiet = 0;
    return false;
  }
  return tracked.quiet++ >= wakefulReadings;
}

/** Resets a mark; returns whether the kernel can. */
const resetMark = (fd: number) =>
  writeBytes(fd, resetText, resetText.byteLength) === resetText.byteLength;

/** Takes a mark. One that is never reset applies to this reading only if it has grown. */
function takeMark(
  { descriptors, marks }: TrackedCgroup,
  index: number,
  { peak }: CounterFile,
  changed: Counters,
): void {
  if (peak === undefined) return;
  const last = marks[index] ?? NaN;
  if (last === resets) {
    resetMark(descriptors[index] ?? none);
    return;
  }
  if (last === fresh && resetMark(descriptors[index] ?? none)) {
    marks[index] = resets;
    return;
  }
  const mark = changed[peak];
  marks[index] = mark;
  if (!(mark > last)) changed[peak] = 0;
}

/** Descriptors reserved for the rest of this process. */
const spareDescriptors = 256;
const none = -1;
/** Stands among marks, which are never negative, for one that is reset. */
const resets = -1;
/** Not read yet: all of it counts. */
const fresh = -2;
/** Writing anything resets a mark. */
const resetText = Buffer.from('0');

export class UsageReader implements Disposable {
  readonly #sources: readonly Source[];
  /** How many of them, from the first, show whether anything is running. */
  readonly #activitySources: number;
  readonly #cgroups = new Map<string, TrackedCgroup>();
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);

  constructor(hierarchies: readonly Hierarchy[], version: 1 | 2) {
    const side = version === 2 ? 'cgroup2' : 'cgroup1';
    this.#sources = limits
      .flatMap((limit) => limit[side].counters)
      .sort((a, b) => orderOf(a) - orderOf(b))
      .flatMap((counter) => {
        const hierarchy = hierarchies.find((each) => each.controllers.has(counter.controller));
        return hierarchy === undefined ? [] : [{ files: hierarchy.files, counter }];
      });
    this.#activitySources = this.#sources.filter(({ counter }) => orderOf(counter) === 0).length;
  }

  get descriptorsPerCgroup(): number {
    return this.#sources.length;
  }

  /** Returns how many cgroups a process can track if it may have `openFiles` files open. */
  cgroupsMax(openFiles: number): number {
    return Math.max(0, Math.floor((openFiles - spareDescriptors) / this.descriptorsPerCgroup));
  }

  /** Returns how many files a process must be able to open for this many cgroups. */
  filesFor(cgroups: number): number {
    return cgroups * this.descriptorsPerCgroup + spareDescriptors;
  }

  get cgroups(): readonly string[] {
    return [...this.#cgroups.keys()];
  }

  /**
   * Opens the files of a cgroup, again if it is known already; returns false if it has none. `isNew`: it did not exist
   * at the previous reading, so its high-water marks cover the time since.
   */
  track(cgroup: string, isNew = false): boolean {
    this.forget(cgroup);
    const descriptors = Int32Array.from(
      this.#sources,
      ({ files, counter: { file, peak } }) =>
        (peak === undefined ? undefined : files.openForBoth(cgroup, file)) ??
        files.open(cgroup, file) ??
        none,
    );
    if (descriptors.every((fd) => fd === none)) return false;
    const said = new Uint8Array(descriptors.length * slotBytes);
    this.#cgroups.set(cgroup, {
      descriptors,
      said,
      marks: isNew
        ? new Float64Array(descriptors.length).fill(fresh)
        : this.#beginMarks(descriptors),
      counters: noCounters,
      quiet: wakefulReadings,
    });
    return true;
  }

  /** Begins marks. The time before is unknown: a mark that is never reset is compared from now on. */
  #beginMarks(descriptors: Int32Array): Float64Array {
    return Float64Array.from(descriptors, (fd, index) => {
      if (fd === none || this.#sources[index]?.counter.peak === undefined) return NaN;
      if (resetMark(fd)) return resets;
      const length = this.#read(fd);
      return length < 0 ? NaN : Number(this.#buffer.toString('latin1', 0, length));
    });
  }

  forget(cgroup: string): undefined {
    for (const fd of this.#cgroups.get(cgroup)?.descriptors ?? []) if (fd !== none) closeSync(fd);
    this.#cgroups.delete(cgroup);
  }

  /** Returns the current counters of the cgroup; undefined if it is not tracked or gone. */
  read(cgroup: string): Readonly<Counters> | undefined {
    const tracked = this.#cgroups.get(cgroup);
    if (tracked === undefined) return undefined;
    const before = tracked.counters;
    let changed: Counters | undefined;
    for (let index = 0; index < this.#sources.length; index++) {
      if (index === this.#activitySources && isAsleep(tracked, changed)) return before;
      const fd = tracked.descriptors[index] ?? none;
      if (fd === none) continue;
      const { counter } = this.#sources[index] as Source;
      const { follows } = counter;
      if (follows !== undefined && (changed?.[follows] ?? before[follows]) === before[follows])
        continue;
      const length = this.#read(fd);
      if (length < 0) {
        if (follows === undefined) return this.forget(cgroup);
        // Pressure files exist but cannot be read if the kernel was booted with psi=0.
        closeSync(fd);
        tracked.descriptors[index] = none;
        continue;
      }
      if (!this.#isNews(tracked, index, counter, length)) continue;
      changed ??= { ...before, ...noPeaks };
      counter.parse(this.#buffer.toString('latin1', 0, length), changed);
      takeMark(tracked, index, counter, changed);
    }
    if (changed !== undefined) tracked.counters = changed;
    return tracked.counters;
  }

  /**
   * Reads counters without descriptors that stay open, which takes several times as long: for cgroups beyond
   * `cgroupsMax`. It reads no marks, which belong to a descriptor. Returns `before` itself if nothing has changed.
   */
  readOnce(cgroup: string, before: Readonly<Counters> | undefined): Readonly<Counters> | undefined {
    const now: Counters = { ...(before ?? noCounters) };
    let found = false;
    for (const { files, counter } of this.#sources) {
      const { follows, peak } = counter;
      if (peak !== undefined) continue;
      if (follows !== undefined && now[follows] === (before ?? noCounters)[follows]) continue;
      const fd = files.open(cgroup, counter.file);
      if (fd === undefined) continue;
      const length = this.#read(fd);
      closeSync(fd);
      if (length < 0) continue;
      found = true;
      counter.parse(this.#buffer.toString('latin1', 0, length), now);
    }
    if (!found) return undefined;
    return before !== undefined && sameCounters(before, now) ? before : now;
  }

  /** Returns the length of the file, which is then in the buffer; -1 if it is gone. */
  #read(fd: number): number {
    let total = readAt(fd, this.#buffer, 0);
    // Lists end at a whole line, so a page may be slightly shorter.
    for (let last = total; last > pageBytes - 64 && total < bufferBytes;) {
      last = readAt(fd, this.#buffer.subarray(total), total);
      if (last > 0) total += last;
    }
    return total;
  }

  /** Whether a file is news. A mark with the same value may be a new one. */
  #isNews({ said }: TrackedCgroup, index: number, { peak }: CounterFile, length: number): boolean {
    return peak !== undefined || this.#keep(said, index * slotBytes, length);
  }

  /** Returns whether a file has changed; keeps the new content for the next time. */
  #keep(said: Uint8Array, start: number, length: number): boolean {
    if (length >= slotBytes) {
      said[start] = tooLong;
      return true;
    }
    let at = 0;
    while (at < length && said[start + at] === this.#buffer[at]) at++;
    if (at === length && said[start + length] === 0) return false;
    for (; at < length; at++) said[start + at] = this.#buffer[at] ?? 0;
    said[start + length] = 0;
    return true;
  }

  [Symbol.dispose](): void {
    for (const cgroup of this.cgroups) this.forget(cgroup);
  }
}
