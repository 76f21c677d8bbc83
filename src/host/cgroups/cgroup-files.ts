/**
 * The only code that accesses cgroup files: one object per hierarchy, everything beneath Bulkhead's own
 * root cgroup, never through a symbolic link. A cgroup that vanished is the value `gone`.
 */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import type { Errno } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import { makeDirectoryAt, openBeneath, readAt, removeDirectoryAt } from '../../sys/syscalls.ts';

/** The operations that the driver needs; `testing/` has an in-memory implementation. */
export interface CgroupFiles {
  /** Returns undefined if the cgroup or the file is gone. */
  readonly read: (cgroup: string, file: string) => string | undefined;
  readonly write: (cgroup: string, file: string, text: string) => Result<void, Errno>;
  readonly makeCgroup: (cgroup: string) => Result<void, Errno>;
  readonly removeCgroup: (cgroup: string) => Result<void, Errno>;
  /** Returns the names of the cgroups in a cgroup; none if it is gone. */
  readonly children: (cgroup: string) => readonly string[];
  /** Returns false if there are certainly none, which costs much less than listing their names. */
  readonly hasChildren: (cgroup: string) => boolean;
  readonly exists: (cgroup: string) => boolean;
  /** Returns a descriptor for reading that stays open, or undefined if the file is gone. */
  readonly open: (cgroup: string, file: string) => number | undefined;
  /** Does the same for reading and writing; root may open it even if the file refuses writes. */
  readonly openForBoth: (cgroup: string, file: string) => number | undefined;
  /** Returns the names of the files in Bulkhead's root cgroup; undefined while it does not exist. */
  readonly fileNames: () => ReadonlySet<string> | undefined;
  /** Returns the names of the files in the root of the hierarchy. */
  readonly topFileNames: () => ReadonlySet<string>;
  /** Returns a file's text there; undefined if there is none. */
  readonly readTop: (file: string) => string | undefined;
}

/** Source: statfs(2), CGROUP_SUPER_MAGIC and CGROUP2_SUPER_MAGIC. */
const cgroupMagic = new Set([0x27e0eb, 0x63677270]);
/**
 * Lists of processes are returned in whole lines, about a page at a time; everything else at once. A
 * result shorter than this is complete.
 */
const shortBytes = 2048;
const chunkBytes = 64 * 1024;
const bytesMax = 16 * 2 ** 20;

const { O_RDONLY, O_WRONLY, O_RDWR, O_DIRECTORY, O_NOFOLLOW } = constants;
const O_CLOEXEC = 0o2000000;

/** Returns the path, below the mount point, of a cgroup outside the root cgroup; undefined for all others. */
export type Elsewhere = (cgroup: string) => string | undefined;

export class LinuxCgroupFiles implements CgroupFiles, Disposable {
  /** The mount point of the hierarchy; `rootCgroup` is Bulkhead's root cgroup in it. */
  readonly mountPoint: string;
  readonly rootCgroup: string;
  /** The mount's descriptor; -1 once it is closed, which every call refuses. */
  #mount: number;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);
  readonly #elsewhere: Elsewhere;

  /** Throws if `mountPoint` is not a cgroup file system: the caller is broken. */
  constructor(mountPoint: string, rootCgroup: string, elsewhere: Elsewhere = () => undefined) {
    this.mountPoint = mountPoint;
    this.rootCgroup = rootCgroup;
    this.#elsewhere = elsewhere;
    if (!cgroupMagic.has(statfsSync(mountPoint).type)) {
      throw new Error(`${mountPoint} is not a cgroup file system`);
    }
    this.#mount = openSync(mountPoint, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  #path(cgroup: string, file?: string): string {
    const inside =
      this.#elsewhere(cgroup) ?? (cgroup === '' ? this.rootCgroup : `${this.rootCgroup}/${cgroup}`);
    return file === undefined ? inside : `${inside}/${file}`;
  }

  #open(path: string, flags: number): Result<number, Errno> {
    const opened = openBeneath(this.#mount, path, flags | O_CLOEXEC);
    return 'fd' in opened ? ok(opened.fd) : fail(opened.error);
  }

  open(cgroup: string, file: string): number | undefined {
    const opened = this.#open(this.#path(cgroup, file), O_RDONLY);
    return opened.ok ? opened.value : undefined;
  }

  openForBoth(cgroup: string, file: string): number | undefined {
    const opened = this.#open(this.#path(cgroup, file), O_RDWR);
    return opened.ok ? opened.value : undefined;
  }

  /** Returns a descriptor for writing that stays open, for repeated writes. */
  openForWriting(cgroup: string, file: string): Result<number, Errno> {
    return this.#open(this.#path(cgroup, file), O_WRONLY);
  }

  read(cgroup: string, file: string): string | undefined {
    return this.#read(this.#path(cgroup, file));
  }

  readTop(file: string): string | undefined {
    return this.#read(file);
  }

  #read(path: string): string | undefined {
    const opened = this.#open(path, O_RDONLY);
    if (!opened.ok) return undefined;
    const text = this.#readAll(opened.value);
    closeSync(opened.value);
    return text;
  }

  #readAll(fd: number): string | undefined {
    let text = '';
    for (let total = 0; total < bytesMax;) {
      const length = readAt(fd, this.#buffer, total);
      if (length < 0) return undefined;
      text += this.#buffer.toString('latin1', 0, length);
      total += length;
      if (length < shortBytes) break;
    }
    return text;
  }

  write(cgroup: string, file: string, text: string): Result<void, Errno> {
    const opened = this.#open(this.#path(cgroup, file), O_WRONLY);
    if (!opened.ok) return opened;
    try {
      writeSync(opened.value, text);
      return ok(undefined);
    } catch (error) {
      return fail(errnoOf(error));
    } finally {
      closeSync(opened.value);
    }
  }

  makeCgroup(cgroup: string): Result<void, Errno> {
    return resultOf(makeDirectoryAt(this.#mount, this.#path(cgroup)));
  }

  removeCgroup(cgroup: string): Result<void, Errno> {
    return resultOf(removeDirectoryAt(this.#mount, this.#path(cgroup)));
  }

  children(cgroup: string): readonly string[] {
    return this.#list(this.#path(cgroup))
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  }

  /** Relies on link counts: the kernel counts a link for each child, besides the two that every directory has. */
  hasChildren(cgroup: string): boolean {
    const path = `${this.mountPoint}/${this.#path(cgroup)}`;
    return statSync(path, { throwIfNoEntry: false })?.nlink !== 2;
  }

  #list(path: string) {
    try {
      return readdirSync(`${this.mountPoint}/${path}`, { withFileTypes: true });
    } catch {
      return [];
    }
  }

  exists(cgroup: string): boolean {
    const opened = this.#open(this.#path(cgroup), O_RDONLY | O_DIRECTORY);
    if (opened.ok) closeSync(opened.value);
    return opened.ok;
  }

  fileNames(): ReadonlySet<string> | undefined {
    const names = this.#fileNames(this.rootCgroup);
    return names.size === 0 ? undefined : names;
  }

  topFileNames(): ReadonlySet<string> {
    return this.#fileNames('.');
  }

  #fileNames(path: string): ReadonlySet<string> {
    const files = this.#list(path).filter((entry) => entry.isFile());
    return new Set(files.map((entry) => entry.name));
  }

  /** Closes the mount. Later calls find nothing; descriptors that `open` has returned stay open. */
  [Symbol.dispose](): void {
    const mount = this.#mount;
    this.#mount = -1;
    if (mount >= 0) closeSync(mount);
  }
}

const resultOf = (error: Errno | undefined): Result<void, Errno> =>
  error === undefined ? ok(undefined) : fail(error);
