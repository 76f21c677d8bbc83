/**
 * Namespaces and mounts, by FFI. They change the calling thread, so only a process with no other task may call them.
 * All throw Node's errors: after a failure in the middle, the caller cannot continue.
 *
 * Sources: open_tree(2), move_mount(2), fsopen(2), mount_setattr(2), openat2(2), setns(2), pivot_root(2).
 */
import koffi from 'koffi';
import { errnoName } from '../../packages/base/io/errno.ts';

const libc = koffi.load('libc.so.6');

const syscallOpenTree = libc.func(
  'long syscall(long number, int dirfd, const char *path, unsigned int flags)',
);
const syscallMoveMount = libc.func(
  'long syscall(long number, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
);
const syscallFsopen = libc.func('long syscall(long number, const char *type, unsigned int flags)');
const syscallFsconfig = libc.func(
  'long syscall(long number, int fd, unsigned int command, const char *key, const char *value, int extra)',
);
const syscallFsmount = libc.func(
  'long syscall(long number, int fd, unsigned int flags, unsigned int attributes)',
);
const syscallMountSetattr = libc.func(
  'long syscall(long number, int dirfd, const char *path, unsigned int flags, void *attributes, size_t size)',
);
const syscallOpenat2 = libc.func(
  'long syscall(long number, int dirfd, const char *path, void *how, size_t size)',
);
const syscallPivotRoot = libc.func('long syscall(long number, const char *root, const char *old)');
const cMount = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const cUmount2 = libc.func('int umount2(const char *path, int flags)');
const cUnshare = libc.func('int unshare(int flags)');
const cSetns = libc.func('int setns(int fd, int type)');
const cFchdir = libc.func('int fchdir(int fd)');
const cClose = libc.func('int close(int fd)');
const cMkdirat = libc.func('int mkdirat(int dirfd, const char *path, uint32_t mode)');
const cFchownat = libc.func(
  'int fchownat(int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags)',
);
const cMknod = libc.func('int mknod(const char *path, uint32_t mode, uint64_t device)');
const cSetaffinity = libc.func('int sched_setaffinity(int pid, size_t size, const void *mask)');

/** System call numbers; from 424 on they are the same on every architecture. */
const numbers = {
  pivotRoot: process.arch === 'x64' ? 155 : 41,
  openTree: 428,
  moveMount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  openat2: 437,
  mountSetattr: 442,
} as const;

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const MS_BIND = 4096;
const MNT_DETACH = 2;

export const namespaces = { mount: 0x20000, ipc: 0x08000000 } as const;
const CLONE_FS = 0x200;

/** Mount attributes. Source: linux/mount.h. */
export const mountAttributes = { readOnly: 1, nosuid: 2, nodev: 4, noexec: 8 } as const;
const propagations = { private: 1n << 18n, slave: 1n << 19n, shared: 1n << 20n } as const;
export type Propagation = keyof typeof propagations;

function check(call: string, path: string, answer: number | bigint): number {
  const number = Number(answer);
  if (number >= 0) return number;
  const errno = koffi.errno();
  const code = errnoName(errno);
  throw Object.assign(new Error(`${code}: ${call} '${path}'`), {
    errno: -errno,
    code,
    syscall: call,
    path,
  });
}

export const closeDescriptor = (fd: number): void => void cClose(fd);

/** Gives the thread its own file system state, so that only its namespaces change. Source: unshare(2), CLONE_FS. */
export const ownFileSystemState = (): void => void check('unshare', 'fs', cUnshare(CLONE_FS));

export const newNamespace = (kind: keyof typeof namespaces): void =>
  void check('unshare', kind, cUnshare(namespaces[kind]));

export const enterNamespace = (fd: number, kind: keyof typeof namespaces): void =>
  void check('setns', kind, cSetns(fd, namespaces[kind]));

const resolveFlags = { noMagiclinks: 0x02, noSymlinks: 0x04 };

/** Opens a directory to which no symbolic link leads; the descriptor can be bound, but not read. */
export function openWithoutLinks(path: string, at = AT_FDCWD): number {
  const resolve = resolveFlags.noMagiclinks | resolveFlags.noSymlinks;
  const how = new BigUint64Array([BigInt(O_PATH | O_DIRECTORY | O_CLOEXEC), 0n, BigInt(resolve)]);
  return check('openat2', path, syscallOpenat2(numbers.openat2, at, path, how, how.byteLength));
}

/** The same for anything but a link, such as a socket. */
export function openAnyWithoutLinks(path: string, at = AT_FDCWD): number {
  const resolve = resolveFlags.noMagiclinks | resolveFlags.noSymlinks;
  const how = new BigUint64Array([BigInt(O_PATH | O_CLOEXEC), 0n, BigInt(resolve)]);
  return check('openat2', path, syscallOpenat2(numbers.openat2, at, path, how, how.byteLength));
}

interface CopyOptions {
  readonly set: number;
  readonly clear?: number;
  /** Whether mounts below are included. */
  readonly recursive?: boolean;
  readonly propagation?: Propagation;
}

/** Makes a detached copy of a mount, or of a directory in one, and sets its attributes before anyone can see it. */
export function copyTree(from: string | number, options: CopyOptions, path = ''): number {
  const below = options.recursive === true ? AT_RECURSIVE : 0;
  const [fd, name] = typeof from === 'string' ? [AT_FDCWD, from] : [from, path];
  const empty = name === '' ? AT_EMPTY_PATH : 0;
  const flags = 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_SYMLINK_NOFOLLOW | below | empty;
  const copy = check('open_tree', name, syscallOpenTree(numbers.openTree, fd, name, flags));
  try {
    setAttributes(copy, '', options, below | AT_EMPTY_PATH);
  } catch (error) {
    closeDescriptor(copy);
    throw error;
  }
  return copy;
}

function setAttributes(
  fd: number,
  path: string,
  { set, clear = 0, propagation = 'slave' }: CopyOptions,
  flags: number,
): void {
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd; }
  const wanted = [BigInt(set), BigInt(clear), propagations[propagation], 0n];
  const value = new BigUint64Array(wanted);
  check(
    'mount_setattr',
    path,
    syscallMountSetattr(numbers.mountSetattr, fd, path, flags, value, value.byteLength),
  );
}

/** Sets the propagation of a mount and all mounts below it. */
export const setPropagation = (path: string, propagation: Propagation, recursive = true): void =>
  setAttributes(AT_FDCWD, path, { set: 0, propagation }, recursive ? AT_RECURSIVE : 0);

/** Attaches a detached mount at its place; the descriptor is closed either way. */
export function attach(tree: number, directory: number, path: string): void {
  const flags = 0x4 /* MOVE_MOUNT_F_EMPTY_PATH */ | (path === '' ? 0x40 : 0);
  try {
    check(
      'move_mount',
      path,
      syscallMoveMount(numbers.moveMount, tree, '', directory, path, flags),
    );
  } finally {
    closeDescriptor(tree);
  }
}

/** Makes a new file system, detached. */
export function makeFileSystem(
  type: string,
  options: Readonly<Record<string, string>>,
  attributesSet: number,
): number {
  const context = check('fsopen', type, syscallFsopen(numbers.fsopen, type, 1));
  try {
    for (const [key, value] of Object.entries(options)) {
      check(
        'fsconfig',
        `${type} ${key}`,
        syscallFsconfig(numbers.fsconfig, context, 1, key, value, 0),
      );
    }
    check('fsconfig', type, syscallFsconfig(numbers.fsconfig, context, 6, null, null, 0));
    return check('fsmount', type, syscallFsmount(numbers.fsmount, context, 1, attributesSet));
  } finally {
    closeDescriptor(context);
  }
}

export const bindMount = (source: string, target: string): void =>
  void check('mount', target, cMount(source, target, null, MS_BIND, null));

/** Removes the mount from the tree at once; it ends when nobody uses it any more. */
export const detachMount = (path: string): void =>
  void check('umount2', path, cUmount2(path, MNT_DETACH));

/**
 * Moves the mount at `fd` onto the root of this namespace. Whoever enters the namespace has it as root; this thread keeps the
 * one below. Source: setns(2); the kernel follows mounts on the root, as it does with its own first root.
 */
export function coverRoot(fd: number): void {
  const root = openWithoutLinks('/');
  try {
    const flags = 0x4 /* MOVE_MOUNT_F_EMPTY_PATH */ | 0x40; /* MOVE_MOUNT_T_EMPTY_PATH */
    check('move_mount', '/', syscallMoveMount(numbers.moveMount, fd, '', root, '', flags));
  } finally {
    closeDescriptor(root);
  }
}

/** Makes the mount at `fd` the root of this namespace, and detaches the old one. */
export function changeRoot(fd: number): void {
  check('fchdir', '.', cFchdir(fd));
  check('pivot_root', '.', syscallPivotRoot(numbers.pivotRoot, '.', '.'));
  check('umount2', '.', cUmount2('.', MNT_DETACH));
}

/** Makes a directory; returns whether it was made. An existing one stays as it is. */
export function makeDirectory(directory: number, name: string, mode: number): boolean {
  const made = Number(cMkdirat(directory, name, mode));
  if (made < 0 && errnoName(koffi.errno()) === 'EEXIST') return false;
  check('mkdirat', name, made);
  return true;
}

export const giveTo = (directory: number, name: string, uid: number, gid: number): void =>
  void check('fchownat', name, cFchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW));

const S_IFCHR = 0o020000;

export const makeDeviceNode = (path: string, mode: number, major: number, minor: number): void =>
  void check('mknod', path, cMknod(path, S_IFCHR | mode, BigInt(major * 256 + minor)));

/** Binds this thread to one processor. */
export function runOn(processor: number): void {
  const mask = new Uint8Array(1024);
  mask[processor >> 3] = 1 << (processor & 7);
  check('sched_setaffinity', `${processor}`, cSetaffinity(0, mask.length, mask));
}
