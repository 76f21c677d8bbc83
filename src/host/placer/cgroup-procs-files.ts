/**
 * Moves processes into tenants' cgroups through descriptors of `cgroup.procs` that stay open:
 * opening costs several times what writing does. The ones used last are kept.
 *
 * A cgroup that was removed and created again is another one to the kernel: the old descriptor fails
 * with ENODEV, and the file is opened again once.
 */
import { closeSync } from 'node:fs';
import { LinuxCgroupFiles } from '../cgroups/cgroup-files.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoName } from '../../../packages/base/io/errno.ts';
import { fileLimit, writeBytes } from '../../sys/syscalls.ts';
import { scopeCgroup, sliceTenant } from '../../plan/slice.ts';
import type { PlacerHierarchy, PlacerTree } from './protocol.ts';

/** Each needs a descriptor per hierarchy. */
const cgroupsMax = 256;
/** Descriptors reserved for everything else in this process. */
const otherFiles = 64;
const none = -1;
const processFile = 'cgroup.procs';

/** Opens a hierarchy's files. Nobody may be moved into a slice itself, but into our scope in it. */
function filesOf({ mountPoint, rootCgroup, slices }: PlacerHierarchy): LinuxCgroupFiles {
  return new LinuxCgroupFiles(mountPoint, rootCgroup, (cgroup) => {
    const uid = slices === undefined ? undefined : sliceTenant(cgroup);
    return uid === undefined ? undefined : scopeCgroup(slices?.instance ?? '', { uid });
  });
}

export class CgroupProcsFiles {
  /** One per hierarchy, in the order of the tree. */
  #files: readonly LinuxCgroupFiles[] = [];
  /** Every hierarchy that was ever used: each has a descriptor of its mount. */
  readonly #known = new Map<string, LinuxCgroupFiles>();
  /** Open descriptors by cgroup, the most recently used last. */
  readonly #open = new Map<string, Int32Array>();
  readonly #digits = Buffer.alloc(16);
  #cgroupsMax = cgroupsMax;

  /** Throws if a hierarchy is not a cgroup file system. */
  use(tree: PlacerTree): void {
    for (const cgroup of this.#open.keys()) this.#forget(cgroup);
    this.#files = tree.hierarchies.map((each) => {
      const key = `${each.mountPoint}\0${each.rootCgroup}\0${each.slices?.instance}`;
      const known = this.#known.get(key) ?? filesOf(each);
      this.#known.set(key, known);
      return known;
    });
    const cgroups = Math.floor((fileLimit() - otherFiles) / Math.max(1, this.#files.length));
    this.#cgroupsMax = Math.max(1, Math.min(cgroupsMax, cgroups));
  }

  /** Moves all threads of a process; `hierarchy` counts as in the tree. ENOENT: no such cgroup. */
  move(pid: number, cgroup: string, hierarchy: number): Result<void, Errno> {
    const written = this.#write(pid, cgroup, hierarchy);
    if (written.ok || written.error !== 'ENODEV') return written;
    this.#forget(cgroup);
    const again = this.#write(pid, cgroup, hierarchy);
    return !again.ok && again.error === 'ENODEV' ? fail('ENOENT') : again;
  }

  #write(pid: number, cgroup: string, hierarchy: number): Result<void, Errno> {
    const found = this.#descriptor(cgroup, hierarchy);
    if (!found.ok) return found;
    const size = this.#digits.write(String(pid), 'latin1');
    const answer = writeBytes(found.value, this.#digits, size);
    return answer < 0 ? fail(errnoName(-answer)) : ok(undefined);
  }

  #descriptor(cgroup: string, hierarchy: number): Result<number, Errno> {
    const descriptors = this.#kept(cgroup);
    const kept = descriptors[hierarchy] ?? none;
    if (kept !== none) return ok(kept);
    const opened = this.#opened(cgroup, hierarchy);
    if (opened.ok) descriptors[hierarchy] = opened.value;
    return opened;
  }

  /** Opens the file. If too many files are open, it closes other cgroups' files first. */
  #opened(cgroup: string, hierarchy: number): Result<number, Errno> {
    for (;;) {
      const opened =
        this.#files[hierarchy]?.openForWriting(cgroup, processFile) ?? fail('ENOENT' as const);
      const isFull = !opened.ok && opened.error === 'EMFILE';
      const [oldest] = this.#open.keys();
      if (!isFull || oldest === undefined || oldest === cgroup) return opened;
      this.#forget(oldest);
      this.#cgroupsMax = Math.max(1, this.#open.size);
    }
  }

  #kept(cgroup: string): Int32Array {
    const kept = this.#open.get(cgroup) ?? new Int32Array(this.#files.length).fill(none);
    this.#open.delete(cgroup);
    this.#open.set(cgroup, kept);
    const [oldest] = this.#open.keys();
    if (this.#open.size > this.#cgroupsMax && oldest !== undefined) this.#forget(oldest);
    return kept;
  }

  #forget(cgroup: string): void {
    for (const fd of this.#open.get(cgroup) ?? []) if (fd !== none) closeSync(fd);
    this.#open.delete(cgroup);
  }
}
