/**
 * Raw directory reads for callers that read millions of names. Entries are not made into strings: calls about an entry
 * pass its name's address in the memory that the kernel wrote it to.
 *
 * Names and paths are "byte strings": one character per byte (latin1), since a name need not be text.
 */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const cGetdents = libc.func('long getdents64(int fd, uintptr_t buffer, size_t size)');
const cStatx = libc.func(
  'int statx(int dirfd, uintptr_t path, int flags, uint32_t mask, uintptr_t buffer)',
);
const cReadlinkat = libc.func(
  'long readlinkat(int dirfd, uintptr_t path, uintptr_t buffer, size_t size)',
);
const cOpenat = libc.func('int openat(int dirfd, uintptr_t path, int flags)');
const syscallOpenat2 = libc.func(
  'long syscall(long number, int dirfd, uintptr_t path, uintptr_t how, size_t size)',
);
const cClose = libc.func('int close(int fd)');
const cLseek = libc.func('int64_t lseek(int fd, int64_t offset, int whence)');

/**
 * Memory that the kernel reads and writes by its address. The caller must keep a reference as long as the address is
 * used.
 */
export class Memory {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly address: number;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.bytes.buffer);
    // User space ends below 2^48, which a number holds exactly.
    this.address = Number(koffi.address(this.bytes));
  }

  /** Writes a byte string as a C string; returns its address. It must be shorter than the memory. */
  write(name: string): number {
    if (name.length >= this.bytes.length) throw new RangeError('the name is too long');
    this.bytes[this.bytes.write(name, 'latin1')] = 0;
    return this.address;
  }
}

const orErrno = (answer: number): number => (answer < 0 ? -koffi.errno() : answer);

/**
 * Reads entries of an open directory from its position on: returns bytes, 0 at its end, or the negative errno. Source:
 * getdents64(2).
 */
export const readEntries = (fd: number, into: Memory): number =>
  orErrno(Number(cGetdents(fd, into.address, into.bytes.length)));

export const entryTypes = {
  unknown: 0,
  pipe: 1,
  directory: 4,
  file: 8,
  link: 10,
  socket: 12,
} as const;

/** `struct linux_dirent64 { u64 ino; s64 off; u16 reclen; u8 type; char name[]; }` */
export const direntName = 19;
export const entryLength = (bytes: Buffer, at: number): number =>
  (bytes[at + 16] ?? 0) | ((bytes[at + 17] ?? 0) << 8);
export const entryType = (bytes: Buffer, at: number): number => bytes[at + 18] ?? 0;

const dot = 0x2e;

/** Whether the name is `.` or `..`; `at` is its start. */
export const isDots = (bytes: Buffer, at: number): boolean =>
  bytes[at] === dot && (bytes[at + 1] === 0 || (bytes[at + 1] === dot && bytes[at + 2] === 0));

/** Returns the byte string that ends with a NUL byte. */
export function byteString(bytes: Buffer, at: number): string {
  let end = at;
  while (bytes[end] !== 0 && end < bytes.length) end++;
  return bytes.toString('latin1', at, end);
}

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
/** FUSE and network file systems answer from memory with this flag, and so cannot make us wait. */
const AT_STATX_DONT_SYNC = 0x4000;
const statFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
/** Type, mode, number of links, uid, inode. */
const statMask = 0x1 | 0x2 | 0x4 | 0x8 | 0x100;
const STATX_MNT_ID = 0x1000;
const STATX_ATTR_MOUNT_ROOT = 0x2000;

export const statBytes = 256;

/**
 * Fills in `struct statx`, following no link; an empty name is the directory itself. Returns 0 or the negative errno.
 */
export const statEntry = (directory: number, name: number, into: Memory): number =>
  orErrno(cStatx(directory, name, statFlags, statMask | STATX_MNT_ID, into.address));

export const kinds = {
  pipe: 0o010000,
  directory: 0o040000,
  file: 0o100000,
  link: 0o120000,
  socket: 0o140000,
} as const;
const kindBits = 0o170000;

/** Reads the fields that `statEntry` has filled in. Source: statx(2). */
export const statOf = {
  links: ({ view }: Memory) => view.getUint32(16, true),
  uid: ({ view }: Memory) => view.getUint32(20, true),
  kind: ({ view }: Memory) => view.getUint16(28, true) & kindBits,
  permissions: ({ view }: Memory) => view.getUint16(28, true) & 0o7777,
  /** `MAJOR:MINOR:INODE`. */
  identity: ({ view }: Memory) =>
    `${view.getUint32(136, true)}:${view.getUint32(140, true)}:${view.getBigUint64(32, true)}`,
  /** Whether another file system is mounted there; before Linux 5.8 the kernel does not report it. */
  isMountRoot: ({ view }: Memory) => (view.getUint32(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0,
  /** Returns the number of the mount, as in /proc/self/mountinfo; absent before Linux 5.8. */
  mount: ({ view }: Memory): string | undefined =>
    (view.getUint32(0, true) & STATX_MNT_ID) === 0
      ? undefined
      : view.getBigUint64(144, true).toString(),
};

/** Reads a link's target. Returns its bytes, without a final NUL byte, or the negative errno. Source: readlinkat(2). */
export function readTarget(directory: number, name: number, into: Memory): number {
  const size = orErrno(Number(cReadlinkat(directory, name, into.address, into.bytes.length - 1)));
  if (size >= 0) into.bytes[size] = 0;
  return size;
}

export const openFlags = {
  directory: 0o200000,
  noFollow: 0o400000,
  noAtime: 0o1000000,
  closeOnExec: 0o2000000,
  path: 0o10000000,
};
if (process.arch === 'arm64') {
  openFlags.directory = 0o40000;
  openFlags.noFollow = 0o100000;
}

/** Returns a descriptor, or the negative errno. Source: openat(2). */
export const openEntry = (directory: number, name: number, flags: number): number =>
  orErrno(cOpenat(directory, name, flags | openFlags.closeOnExec));

export const resolve = { sameMount: 0x01, noMagicLinks: 0x02, noLinks: 0x04, beneath: 0x08 };

const numberOpenat2 = 437;
const how = new Memory(24);
how.bytes.fill(0);

/** Opens an entry under path resolution rules; -ENOSYS before Linux 5.6. Source: openat2(2). */
export function openEntryWithin(
  directory: number,
  name: number,
  flags: number,
  rules: number,
): number {
  how.view.setUint32(0, flags | openFlags.closeOnExec, true);
  how.view.setUint32(16, rules, true);
  return orErrno(Number(syscallOpenat2(numberOpenat2, directory, name, how.address, 24)));
}

/** Closes a descriptor. Unlike closeSync it accepts descriptors that Node has not opened, at a third of the cost. */
export const closeEntry = (fd: number): void => void cClose(fd);

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** Returns the position in an open directory: only the kernel knows what the number means. Source: lseek(2). */
export const positionOf = (fd: number): bigint => BigInt(cLseek(fd, 0, SEEK_CUR));
export const seekTo = (fd: number, position: bigint): boolean =>
  Number(cLseek(fd, position, SEEK_SET)) >= 0;
