/**
 * Every name below a home, read as root while its tenant changes it: each directory is opened through the one above it,
 * never by a link and never on another mount, and stays that directory whatever becomes of its name. However deep
 * and however large: few directories are open at a time, and few names in memory.
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import {
  byteString,
  closeEntry,
  entryLength,
  direntName,
  entryType,
  entryTypes,
  isDots,
  kinds,
  Memory,
  openEntry,
  openEntryWithin,
  openFlags,
  positionOf,
  readEntries,
  resolve as rules,
  seekTo,
  statBytes,
  statEntry,
  statOf,
} from '../../../sys/files/entries.ts';
import { errnoCause, errnoName } from '../../../../packages/base/io/errno.ts';
import type { HomeProblem } from './protocol.ts';
import { mountOf } from './resolver.ts';

/** The handlers of the entries that a walk finds. Names are addresses in memory that the next entry overwrites. */
export interface Visitor {
  /** Called for files, also sockets and pipes. */
  readonly file: (name: number, stat: Memory) => void;
  readonly link: (directory: number, name: number) => void;
  readonly problem: (path: string, cause: Cause, kind: HomeProblem['kind']) => void;
  /** Called often, with the names read so far. */
  readonly alive: (entries: number) => void;
}

export interface WalkOptions {
  /** Directories that are not entered, by `statOf.identity`: homes of others. */
  readonly except: ReadonlySet<string>;
  /**
   * The maximum number of directories held open; beyond it the upper ones are closed, and found again by their
   * identity.
   */
  readonly heldMax?: number;
  /** Whether to read files: they are asked about one by one, which is most of the time that a walk takes. */
  readonly files?: boolean;
  readonly depthMax?: number;
  /** The maximum number of names: somebody may make names faster than they are read. */
  readonly namesMax?: number;
  /** Whether to use openat2; off for the test of kernels before Linux 5.6. */
  readonly openat2?: boolean;
}

interface Level {
  readonly name: string;
  /** -1 while it is closed. */
  fd: number;
  /** Set when it is closed. */
  identity: string;
  position: bigint;
  /** Directories of the last batch that was read. */
  readonly below: string[];
  isRead: boolean;
}

const { directory, noFollow, noAtime, path: pathOnly } = openFlags;
const openDirectory = directory | noFollow;
const inside = rules.sameMount | rules.noMagicLinks | rules.noLinks | rules.beneath;
/** Types of entries whose further names are reported. */
const hasNames = new Set<number>([entryTypes.file, entryTypes.socket, entryTypes.pipe]);
const namedKinds = new Set<number>([kinds.file, kinds.socket, kinds.pipe]);
const chunkBytes = 64 * 1024;
const beatEvery = 256;
const EPERM = 1;
const EXDEV = 18;
const ENOSYS = 38;
const ENOENT = 2;
const ENOTDIR = 20;
const ELOOP = 40;

export class HomeWalk {
  readonly #visitor: Visitor;
  readonly #options: Required<WalkOptions>;
  readonly #chunk = new Memory(chunkBytes);
  readonly #name = new Memory(512);
  readonly #stat = new Memory(statBytes);
  readonly #levels: Level[] = [];
  #openat2: boolean;
  #mount = '';
  entries = 0;

  constructor(visitor: Visitor, options: WalkOptions) {
    this.#visitor = visitor;
    this.#options = {
      heldMax: 200,
      depthMax: 100_000,
      namesMax: 100_000_000,
      openat2: true,
      files: true,
      ...options,
    };
    this.#openat2 = this.#options.openat2;
  }

  /** Walks a home. `home` is an open directory, by O_PATH or not; `path` is its byte string. */
  run(home: number, path: string): void {
    this.#mount = mountOf(home);
    const fd = this.#reading(home, '.', 0);
    if (fd < 0) return this.#visitor.problem(path, causeOf(fd), 'unread');
    this.#push(path, fd);
    try {
      while (this.#levels.length > 0 && this.entries <= this.#options.namesMax) this.#step();
      if (this.#levels.length === 0) return;
      const reason = `it has more than ${this.#options.namesMax} names; the rest was not read`;
      this.#visitor.problem(path, { reason }, 'unread');
    } finally {
      for (const level of this.#levels.splice(0)) if (level.fd >= 0) closeEntry(level.fd);
    }
  }

  /**
   * Returns the path of the directory that is being read; shortened in the middle if it is longer than anybody reads.
   */
  path(name?: string): string {
    const names = this.#levels.map((level) => level.name.replace(/\/$/, ''));
    if (name !== undefined) names.push(name);
    const from = names.length - 100;
    const left =
      names.length <= 200 ? names : [...names.slice(0, 100), '...', ...names.slice(from)];
    return left.join('/');
  }

  /** Returns the path of the entry whose name is at this address. */
  pathAt(name: number): string {
    return this.path(byteString(this.#chunk.bytes, name - this.#chunk.address));
  }

  #step(): void {
    const level = this.#levels.at(-1);
    if (level === undefined) return;
    const name = level.below.pop();
    if (name !== undefined) this.#descend(level, name);
    else if (!level.isRead) this.#read(level);
    else this.#ascend();
  }

  #read(level: Level): void {
    const bytes = readEntries(level.fd, this.#chunk);
    if (bytes <= 0) {
      level.isRead = true;
      // A directory that was removed meanwhile has no more names.
      if (bytes < 0 && bytes !== -ENOENT) {
        this.#visitor.problem(this.path(), causeOf(bytes), 'unread');
      }
      return;
    }
    const buffer = this.#chunk.bytes;
    for (let at = 0; at < bytes; at += entryLength(buffer, at)) {
      if (isDots(buffer, at + direntName)) continue;
      if (++this.entries % beatEvery === 0) this.#visitor.alive(this.entries);
      this.#entry(level, entryType(buffer, at), at + direntName);
    }
  }

  #entry(level: Level, type: number, at: number): void {
    const name = this.#chunk.address + at;
    if (type === entryTypes.directory) level.below.push(byteString(this.#chunk.bytes, at));
    else if (type === entryTypes.link) this.#visitor.link(level.fd, name);
    else if ((hasNames.has(type) && this.#options.files) || type === entryTypes.unknown) {
      const error = statEntry(level.fd, name, this.#stat);
      // It has vanished again, or somebody has mounted something on it.
      if (error < 0 || statOf.isMountRoot(this.#stat)) return;
      const kind = statOf.kind(this.#stat);
      if (namedKinds.has(kind) && this.#options.files) this.#visitor.file(name, this.#stat);
      else if (type !== entryTypes.unknown) return;
      else if (kind === kinds.directory) level.below.push(byteString(this.#chunk.bytes, at));
      else if (kind === kinds.link) this.#visitor.link(level.fd, name);
    }
  }

  #descend(level: Level, name: string): void {
    if (this.#levels.length >= this.#options.depthMax) {
      const reason = `it is more than ${this.#options.depthMax} directories deep`;
      return this.#visitor.problem(this.path(name), { reason }, 'unread');
    }
    const fd = this.#reading(level.fd, name, inside);
    if (fd >= 0) {
      if (!this.#isExcepted(fd)) return this.#push(name, fd);
      return closeEntry(fd);
    }
    // It was renamed, removed, or replaced by a link since its name was read: the current entry was never a directory
    // for us.
    if (fd === -ENOENT || fd === -ENOTDIR || fd === -ELOOP) return;
    if (fd !== -EXDEV) return this.#visitor.problem(this.path(name), causeOf(fd), 'unread');
    const reason = 'another file system is mounted there, and is not read';
    this.#visitor.problem(this.path(name), { reason }, 'skipped');
  }

  #isExcepted(fd: number): boolean {
    const { except } = this.#options;
    return except.size > 0 && except.has(this.#identityOf(fd));
  }

  #identityOf(fd: number): string {
    this.#name.bytes[0] = 0;
    return statEntry(fd, this.#name.address, this.#stat) < 0 ? '' : statOf.identity(this.#stat);
  }

  #push(name: string, fd: number): void {
    this.#levels.push({ name, fd, identity: '', position: 0n, below: [], isRead: false });
    const level = this.#levels.at(-1 - this.#options.heldMax);
    // The home itself stays open, to continue there if all else fails.
    if (level === undefined || level === this.#levels[0] || level.fd < 0) return;
    level.identity = this.#identityOf(level.fd);
    level.position = positionOf(level.fd);
    closeEntry(level.fd);
    level.fd = -1;
  }

  #ascend(): void {
    const left = this.#levels.pop();
    const level = this.#levels.at(-1);
    if (left === undefined) return;
    if (level !== undefined && level.fd < 0 && !this.#reopen(level, left.fd)) {
      const reason = 'it was moved while it was read, so not all of it was seen';
      this.#visitor.problem(this.path(), { reason, hint: 'run the command again' }, 'unread');
      while ((this.#levels.at(-1)?.fd ?? 0) < 0) this.#levels.pop();
    }
    closeEntry(left.fd);
  }

  /** Opens the directory above, which is the one that it was opened through unless its tenant has moved it. */
  #reopen(level: Level, below: number): boolean {
    const fd = this.#reading(below, '..', 0);
    if (fd < 0) return false;
    if (this.#identityOf(fd) !== level.identity || !seekTo(fd, level.position)) {
      closeEntry(fd);
      return false;
    }
    level.fd = fd;
    return true;
  }

  /** Opens a directory for reading, without changing its access time if that is allowed. */
  #reading(at: number, name: string, how: number): number {
    const fd = this.#open(at, name, openDirectory | noAtime, how);
    return fd === -EPERM ? this.#open(at, name, openDirectory, how) : fd;
  }

  #open(at: number, name: string, flags: number, how: number): number {
    const address = this.#name.write(name);
    if (how === 0) return openEntry(at, address, flags);
    if (this.#openat2) {
      const fd = openEntryWithin(at, address, flags, how);
      if (fd !== -ENOSYS) return fd;
      this.#openat2 = false;
    }
    return this.#openOnMount(at, address, flags);
  }

  /** Opens a directory before Linux 5.6: by a descriptor that asks no file system, if it is on the same mount. */
  #openOnMount(at: number, address: number, flags: number): number {
    const found = openEntry(at, address, pathOnly | openDirectory);
    if (found < 0) return found;
    const isHere = mountOf(found) === this.#mount;
    const fd = isHere ? openEntry(found, this.#name.write('.'), flags) : -EXDEV;
    closeEntry(found);
    return fd;
  }
}

const causeOf = (error: number): Cause => errnoCause(errnoName(-error));
