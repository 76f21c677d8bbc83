/**
 * Reads the counters of many groups again and again, through descriptors that stay open.
 *
 * Opening a cgroup file costs several times what reading it costs, so each group keeps
 * `descriptorsPerGroup` of them: nine on v1, six on v2. Node raises RLIMIT_NOFILE to its hard limit
 * when it starts; `mostGroups` says how many groups fit under a limit.
 *
 * A group that vanished is closed and forgotten, and reads as `undefined`. One that was made anew
 * under the same name is another group to the kernel: `track` it again.
 */
import { closeSync } from 'node:fs';
import type { CounterFile, Counters } from '../limits/limit.ts';
import { limits, noCounters } from '../limits/limits.ts';
import type { CgroupFiles } from './cgroup-files.ts';
import type { Hierarchy } from './hierarchies.ts';
import { readAt } from './syscalls.ts';

interface Source {
  readonly files: CgroupFiles;
  readonly counter: CounterFile;
}

interface OpenFile {
  readonly fd: number;
  readonly parse: CounterFile['parse'];
  /** What it said last. Bytes are compared: making a string costs more than that. */
  bytes: Uint8Array;
}

/**
 * Most files say the same as before most of the time, and those are not parsed again. So no two
 * files of a group may have a counter in common.
 */
interface TrackedGroup {
  readonly files: readonly OpenFile[];
  /** Replaced, never changed: who has read it keeps it. */
  counters: Readonly<Counters>;
}

/** No file of counters of one group is longer: the kernel prints up to a page at once. */
const bufferBytes = 4096;
const nothing = new Uint8Array(0);
/** What the rest of the process may need. */
const spareDescriptors = 256;

export class UsageReader implements Disposable {
  readonly #sources: readonly Source[];
  readonly #groups = new Map<string, TrackedGroup>();
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);

  constructor(hierarchies: readonly Hierarchy[], version: 1 | 2) {
    const side = version === 2 ? 'cgroup2' : 'cgroup1';
    this.#sources = limits
      .flatMap((limit) => limit[side].counters)
      .flatMap((counter) => {
        const hierarchy = hierarchies.find((each) => each.controllers.has(counter.controller));
        return hierarchy === undefined ? [] : [{ files: hierarchy.files, counter }];
      });
  }

  get descriptorsPerGroup(): number {
    return this.#sources.length;
  }

  /** As many groups as a process can track that may have `openFiles` files open. */
  mostGroups(openFiles: number): number {
    return Math.max(0, Math.floor((openFiles - spareDescriptors) / this.descriptorsPerGroup));
  }

  get groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  /** Opens the files of a group, anew if it is known already; false where it has none. */
  track(group: string): boolean {
    this.forget(group);
    const files = this.#sources.flatMap(({ files, counter: { file, parse } }): OpenFile[] => {
      const fd = files.open(group, file);
      return fd === undefined ? [] : [{ fd, parse, bytes: nothing }];
    });
    if (files.length > 0) this.#groups.set(group, { files, counters: noCounters });
    return files.length > 0;
  }

  forget(group: string): void {
    for (const { fd } of this.#groups.get(group)?.files ?? []) closeSync(fd);
    this.#groups.delete(group);
  }

  /** What the group has used by now; nothing where it is not tracked or gone. */
  read(group: string): Readonly<Counters> | undefined {
    const tracked = this.#groups.get(group);
    if (tracked === undefined) return undefined;
    let changed: Counters | undefined;
    for (const file of tracked.files) {
      const length = readAt(file.fd, this.#buffer, 0);
      if (length < 0) {
        this.forget(group);
        return undefined;
      }
      if (isSame(this.#buffer, length, file.bytes)) continue;
      file.bytes = Uint8Array.from(this.#buffer.subarray(0, length));
      changed ??= { ...tracked.counters };
      file.parse(this.#buffer.toString('latin1', 0, length), changed);
    }
    if (changed !== undefined) tracked.counters = changed;
    return tracked.counters;
  }

  [Symbol.dispose](): void {
    for (const group of this.groups) this.forget(group);
  }
}

function isSame(buffer: Uint8Array, length: number, bytes: Uint8Array): boolean {
  if (length !== bytes.length) return false;
  for (let at = 0; at < length; at++) if (buffer[at] !== bytes[at]) return false;
  return true;
}
