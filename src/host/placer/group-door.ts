/**
 * Moves processes into tenants' groups through descriptors of `cgroup.procs` that stay open:
 * opening costs several times what writing does. The ones used last are kept.
 *
 * A group that was removed and made again is another one to the kernel: the old descriptor says
 * ENODEV, and is opened anew once.
 */
import { closeSync } from 'node:fs';
import { LinuxCgroupFiles } from '../cgroup-files.ts';
import { errnoName, type ErrnoName } from '../errno.ts';
import { fileLimit, writeBytes, type Opened } from '../syscalls.ts';
import type { PlacerTree } from './protocol.ts';

/** Each is a descriptor a hierarchy. */
const mostGroups = 256;
/** Left to everything else that this process has open. */
const otherFiles = 64;
const none = -1;
const processFile = 'cgroup.procs';

export class GroupDoor {
  /** One a hierarchy, in the order of the tree. */
  #files: readonly LinuxCgroupFiles[] = [];
  /** Every hierarchy that was ever named: each holds a descriptor of its mount. */
  readonly #known = new Map<string, LinuxCgroupFiles>();
  /** By group, the one used last at the end. */
  readonly #open = new Map<string, Int32Array>();
  readonly #digits = Buffer.alloc(16);
  #groupsMax = mostGroups;

  /** Throws where a hierarchy is no cgroup file system. */
  use(tree: PlacerTree): void {
    for (const group of this.#open.keys()) this.#forget(group);
    this.#files = tree.hierarchies.map(({ mountPoint, rootGroup }) => {
      const key = `${mountPoint}\0${rootGroup}`;
      const known = this.#known.get(key) ?? new LinuxCgroupFiles(mountPoint, rootGroup);
      this.#known.set(key, known);
      return known;
    });
    const groups = Math.floor((fileLimit() - otherFiles) / Math.max(1, this.#files.length));
    this.#groupsMax = Math.max(1, Math.min(mostGroups, groups));
  }

  /** Moves all threads of a process; `hierarchy` counts as in the tree. ENOENT: no such group. */
  move(pid: number, group: string, hierarchy: number): ErrnoName | undefined {
    const error = this.#write(pid, group, hierarchy);
    if (error !== 'ENODEV') return error;
    this.#forget(group);
    const again = this.#write(pid, group, hierarchy);
    return again === 'ENODEV' ? 'ENOENT' : again;
  }

  #write(pid: number, group: string, hierarchy: number): ErrnoName | undefined {
    const fd = this.#descriptor(group, hierarchy);
    if (typeof fd !== 'number') return fd;
    const answer = writeBytes(fd, this.#digits, this.#digits.write(String(pid), 'latin1'));
    return answer < 0 ? errnoName(-answer) : undefined;
  }

  #descriptor(group: string, hierarchy: number): number | ErrnoName {
    const descriptors = this.#kept(group);
    const kept = descriptors[hierarchy] ?? none;
    if (kept !== none) return kept;
    const opened = this.#opened(group, hierarchy);
    if (opened === undefined) return 'ENOENT';
    if ('error' in opened) return opened.error;
    descriptors[hierarchy] = opened.fd;
    return opened.fd;
  }

  /** Where too many files are open, those of other groups are given up first. */
  #opened(group: string, hierarchy: number): Opened | undefined {
    for (;;) {
      const opened = this.#files[hierarchy]?.openForWriting(group, processFile);
      const isFull = opened !== undefined && 'error' in opened && opened.error === 'EMFILE';
      const [oldest] = this.#open.keys();
      if (!isFull || oldest === undefined || oldest === group) return opened;
      this.#forget(oldest);
      this.#groupsMax = Math.max(1, this.#open.size);
    }
  }

  #kept(group: string): Int32Array {
    const kept = this.#open.get(group) ?? new Int32Array(this.#files.length).fill(none);
    this.#open.delete(group);
    this.#open.set(group, kept);
    const [oldest] = this.#open.keys();
    if (this.#open.size > this.#groupsMax && oldest !== undefined) this.#forget(oldest);
    return kept;
  }

  #forget(group: string): void {
    for (const fd of this.#open.get(group) ?? []) if (fd !== none) closeSync(fd);
    this.#open.delete(group);
  }
}
