/**
 * Reads the counters of many cgroups again and again, through descriptors that stay open.
 *
 * Opening a cgroup file costs several times what reading it costs, so each cgroup keeps
 * `descriptorsPerCgroup` of them: thirteen. Node raises RLIMIT_NOFILE to its hard limit
 * when it starts; `cgroupsMax` says how many cgroups fit under a limit.
 *
 * Most files say the same as before most of the time, and those are not parsed again: bytes are
 * compared where they are, since a string or an object a file would cost more than parsing. So no
 * two files of a cgroup may have a counter in common.
 *
 * A high-water mark is begun anew right after it was read; what rises and falls again within those
 * microseconds is not in it. A mark that cannot be begun anew counts where it has grown.
 *
 * A cgroup that vanished is closed and forgotten, and reads as `undefined`. One that was made anew
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
  /** One a source; `none` where the cgroup has no such file. */
  readonly descriptors: Int32Array;
  /** What each file said last, in a slot of its own that ends with a zero byte. */
  readonly said: Uint8Array;
  /** Of marks that cannot be begun anew, what they said last; `resets` for those that can. */
  readonly marks: Float64Array;
  /** Replaced, never changed: who has read it keeps it. */
  counters: Readonly<Counters>;
  /** Readings since something ran there. */
  quiet: number;
}

/** The kernel prints up to a page at once; longer files come in several. */
const pageBytes = 4096;
/** What of a file is read at most: some eight thousand processes. */
const bufferBytes = 64 * 1024;
/** What is longer, as with several disks, is parsed each time. */
const slotBytes = 128;
/** Stands at the start of the slot then; no text starts with it. */
const tooLong = 1;
/**
 * Where nothing runs nothing changes, but for what was written before and reaches the disk later:
 * so many readings after the last process the other files are read too.
 */
const wakefulReadings = 12;

/** What tells activity first, and what follows another counter after that. */
function orderOf({ indicatesActivity, follows }: CounterFile): number {
  if (indicatesActivity === true) return 0;
  return follows === undefined ? 1 : 2;
}

function isAsleep(tracked: TrackedCgroup, changed: Counters | undefined): boolean {
  if (changed !== undefined || tracked.counters.threads > 0) {
    // All is new at the first reading, which does not say that something ran lately.
    if (tracked.counters !== noCounters) tracked.quiet = 0;
    return false;
  }
  return tracked.quiet++ >= wakefulReadings;
}

/** Whether the kernel begins a mark anew, which it has done then. */
const beginAnew = (fd: number) => writeBytes(fd, anew, anew.byteLength) === anew.byteLength;

/** A mark of the whole life says something of this reading only where it has grown. */
function takeMark(
  { descriptors, marks }: TrackedCgroup,
  index: number,
  { peak }: CounterFile,
  changed: Counters,
): void {
  if (peak === undefined) return;
  const last = marks[index] ?? NaN;
  if (last === resets) {
    beginAnew(descriptors[index] ?? none);
    return;
  }
  const mark = changed[peak];
  marks[index] = mark;
  if (!(mark > last)) changed[peak] = 0;
}

/** What the rest of the process may need. */
const spareDescriptors = 256;
const none = -1;
/** Among marks, which are never negative. */
const resets = -1;
/** Anything that is written begins a mark anew. */
const anew = Buffer.from('0');

export class UsageReader implements Disposable {
  readonly #sources: readonly Source[];
  /** How many of them, the first, tell whether anything runs. */
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

  /** As many cgroups as a process can track that may have `openFiles` files open. */
  cgroupsMax(openFiles: number): number {
    return Math.max(0, Math.floor((openFiles - spareDescriptors) / this.descriptorsPerCgroup));
  }

  /** Files that a process must be able to open for so many groups. */
  filesFor(cgroups: number): number {
    return cgroups * this.descriptorsPerCgroup + spareDescriptors;
  }

  get cgroups(): readonly string[] {
    return [...this.#cgroups.keys()];
  }

  /** Opens the files of a cgroup, anew if it is known already; false where it has none. */
  track(cgroup: string): boolean {
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
      marks: this.#beginMarks(descriptors),
      counters: noCounters,
      quiet: wakefulReadings,
    });
    return true;
  }

  /** Nothing is known of the time before: a mark of the whole life is compared from now on. */
  #beginMarks(descriptors: Int32Array): Float64Array {
    return Float64Array.from(descriptors, (fd, index) => {
      if (fd === none || this.#sources[index]?.counter.peak === undefined) return NaN;
      if (beginAnew(fd)) return resets;
      const length = this.#read(fd);
      return length < 0 ? NaN : Number(this.#buffer.toString('latin1', 0, length));
    });
  }

  forget(cgroup: string): undefined {
    for (const fd of this.#cgroups.get(cgroup)?.descriptors ?? []) if (fd !== none) closeSync(fd);
    this.#cgroups.delete(cgroup);
  }

  /** What the cgroup has used by now; nothing where it is not tracked or gone. */
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
        // Pressure is there and cannot be read where the kernel was told not to count it.
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
   * The same without descriptors that stay open, which takes several times as long: for cgroups
   * beyond `cgroupsMax`. It reads no marks, which belong to a descriptor. Answers `before` itself where nothing has changed.
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

  /** Length of the file, which is then in the buffer; -1 where it is gone. */
  #read(fd: number): number {
    let total = readAt(fd, this.#buffer, 0);
    // Lists end at a whole line, so a page may come a little short.
    for (let last = total; last > pageBytes - 64 && total < bufferBytes;) {
      last = readAt(fd, this.#buffer.subarray(total), total);
      if (last > 0) total += last;
    }
    return total;
  }

  /** A mark may say the same again, and mean another time. */
  #isNews({ said }: TrackedCgroup, index: number, { peak }: CounterFile, length: number): boolean {
    return peak !== undefined || this.#keep(said, index * slotBytes, length);
  }

  /** Whether a file says something else than before, which is kept for the next time. */
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
