/**
 * The few system calls that Node has no function for, by FFI.
 *
 * Each is declared once here with its C prototype. A wrong one would crash the process, so a test on the real kernel
 * exercises every declaration.
 */
import { closeSync, constants } from 'node:fs';
import koffi from 'koffi';
import type { Errno } from '../../packages/base/problem.ts';
import { errnoName } from '../../packages/base/io/errno.ts';

const libc = koffi.load('libc.so.6');

const syscallOpenat2 = libc.func(
  'long syscall(long number, int dirfd, const char *path, void *how, size_t size)',
);
const syscallPidfdSendSignal = libc.func(
  'long syscall(long number, int pidfd, int signal, void *info, uint32_t flags)',
);
const syscallPidfdOpen = libc.func('long syscall(long number, int pid, uint32_t flags)');
const syscallSetresuid = libc.func(
  'long syscall(long number, uint32_t real, uint32_t effective, uint32_t saved)',
);
const syscallLandlock = libc.func(
  'long syscall(long number, const void *rules, size_t size, uint32_t flags)',
);
const cOpenat = libc.func('int openat(int dirfd, const char *path, int flags, uint32_t mode)');
const cKill = libc.func('int kill(int pid, int signal)');
const cGetrlimit = libc.func('int getrlimit(int resource, void *limit)');
const cMkdirat = libc.func('int mkdirat(int dirfd, const char *path, uint32_t mode)');
const cUnlinkat = libc.func('int unlinkat(int dirfd, const char *path, int flags)');
const cPread = libc.func('long pread(int fd, void *buffer, size_t size, int64_t offset)');
const cSysconf = libc.func('long sysconf(int name)');
const cWrite = libc.func('long write(int fd, const void *buffer, size_t size)');
const cPoll = libc.func('int poll(void *fds, unsigned long count, int timeout)');
const cFcntl = libc.func('int fcntl(int fd, int command, int argument)');
const cIoctl = libc.func('int ioctl(int fd, unsigned long request, void *value)');
const cSetfsuid = libc.func('int setfsuid(uint32_t uid)');
const cSetfsgid = libc.func('int setfsgid(uint32_t gid)');
const cSetrlimit = libc.func('int setrlimit(int resource, const void *limit)');
const cFlock = libc.func('int flock(int fd, int operation)');
const cQuotactl = libc.func('int quotactl(int command, const char *special, int id, void *data)');
const cSyncfs = libc.func('int syncfs(int fd)');
const cPrctl = libc.func(
  'int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)',
);
const cClockGettime = libc.func('int clock_gettime(int clock, void *time)');
const cLseek = libc.func('int64_t lseek(int fd, int64_t offset, int whence)');

const sysconfPageSize = 30;
const sysconfClockTicks = 2;
const SEEK_END = 2;
const RLIMIT_NOFILE = 7;
/** Counts the time of the scheduler, in nanoseconds. */
const CPUCLOCK_SCHED = 2;

/** Returns the size of a memory page. Source: sysconf(3). */
export const pageBytes = (): number => Number(cSysconf(sysconfPageSize));

/**
 * Returns the number of clock ticks per second, in which `/proc/PID/stat` counts. Source: sysconf(3), `_SC_CLK_TCK`.
 */
export const clockTicksPerSecond = (): number => Number(cSysconf(sysconfClockTicks));

/**
 * Returns the CPU time of all threads of a process, also of those that have ended, in microseconds. Any account may read
 * it. Undefined if there is no such process. Source: clock_getcpuclockid(3).
 */
export function processCpuMicroseconds(pid: number): number | undefined {
  const time = new BigInt64Array(2);
  const processClock = (~pid << 3) | CPUCLOCK_SCHED;
  if (cClockGettime(processClock, time) !== 0) return undefined;
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1e6 + Number(nanoseconds) / 1e3;
}

/** Sets both limits of RLIMIT_NOFILE; root may raise the hard one up to fs.nr_open. Source: setrlimit(2). */
export function raiseFileLimit(files: number): boolean {
  const limit = new BigUint64Array([BigInt(files), BigInt(files)]);
  return cSetrlimit(RLIMIT_NOFILE, limit) === 0;
}

/** Returns the number of files that this process may have open. Source: getrlimit(2). */
export function fileLimit(): number {
  const limit = new BigUint64Array(2);
  if (cGetrlimit(RLIMIT_NOFILE, limit) !== 0) return 0;
  return Number(limit[0]);
}

/** Puts the position of a descriptor behind the last byte, or record. Source: lseek(2). */
export const seekEnd = (fd: number): boolean => Number(cLseek(fd, 0, SEEK_END)) >= 0;

const LOCK_NB = 4;
const lockOperations = { shared: 1, exclusive: 2 };

/** Locks the open file without waiting: EAGAIN if another process has a lock on it. Source: flock(2). */
export const lockDescriptor = (
  fd: number,
  operation: keyof typeof lockOperations,
): Errno | undefined => failed(cFlock(fd, lockOperations[operation] | LOCK_NB));

/** Runs one quota command on the file system of the device file `special`. Source: quotactl(2). */
export const quotactl = (
  command: number,
  special: string,
  id: number,
  data: Uint8Array,
): Errno | undefined => failed(cQuotactl(command | 0, special, id, data));

/**
 * Runs a quota command in another thread, since a disk that hangs would keep the caller waiting. Returns whether it
 * succeeded.
 */
export const quotactlAside = (
  command: number,
  special: string,
  id: number,
  data: Uint8Array,
): Promise<boolean> =>
  new Promise((resolve) => {
    const done = (error: unknown, result: unknown) => resolve(error === null && result === 0);
    cQuotactl.async(command | 0, special, id, data, done);
  });

/** The same number on every architecture that has it. */
const numberLandlockCreateRuleset = 444;
const LANDLOCK_CREATE_RULESET_VERSION = 1;

/** Returns the version of Landlock that is in force, 0 if none is. Source: landlock_create_ruleset(2). */
export const landlockVersion = (): number =>
  Math.max(
    0,
    Number(syscallLandlock(numberLandlockCreateRuleset, null, 0, LANDLOCK_CREATE_RULESET_VERSION)),
  );

/** The same number on every architecture that has it. */
const numberOpenat2 = 437;
const AT_REMOVEDIR = 0x200;
const resolveFlags = { noMagiclinks: 0x02, noSymlinks: 0x04, beneath: 0x08 };
/** struct open_how { u64 flags, mode, resolve; }, filled in once: only its flags ever differ. */
const how = new BigUint64Array([
  0n,
  0n,
  BigInt(resolveFlags.noMagiclinks | resolveFlags.noSymlinks | resolveFlags.beneath),
]);

/** A descriptor, or an error. */
export type OpenedFd = { readonly fd: number } | { readonly error: Errno };

let hasOpenat2 = true;

/**
 * Opens `path` beneath `directory`, following no symbolic link and no way out.
 * Source: openat2(2); before Linux 5.6, which lacks it, openat(2) one name at a time.
 */
export function openBeneath(directory: number, path: string, flags: number): OpenedFd {
  if (!hasOpenat2) return openByNames(directory, path, flags);
  how[0] = BigInt(flags);
  const fd = Number(syscallOpenat2(numberOpenat2, directory, path, how, how.byteLength));
  if (fd >= 0) return { fd };
  const error = errnoName(koffi.errno());
  if (error !== 'ENOSYS') return { error };
  hasOpenat2 = false;
  return openByNames(directory, path, flags);
}

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

function openByNames(directory: number, path: string, flags: number): OpenedFd {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '..')) return { error: 'EXDEV' };
  let at = directory;
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    const how = isLast ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const fd = Number(cOpenat(at, name, how, 0));
    const error = fd < 0 ? errnoName(koffi.errno()) : undefined;
    if (at !== directory) closeSync(at);
    if (error !== undefined) return { error };
    at = fd;
  }
  return { fd: at };
}

/** The same number on every architecture that has it. */
const numberPidfdSendSignal = 424;

/**
 * Signals exactly the process that `pidfd` refers to: a pidfd, or a directory of /proc opened for reading. ESRCH once
 * it has been reaped; ENOSYS before Linux 5.1. Source: pidfd_send_signal(2).
 */
export const sendSignal = (pidfd: number, signal: number): Errno | undefined =>
  failed(Number(syscallPidfdSendSignal(numberPidfdSendSignal, pidfd, signal, null, 0)));

const PR_SET_PDEATHSIG = 1;

/**
 * Makes the kernel send a signal to this process when the thread that started it ends, however it ends. Source:
 * prctl(2).
 */
export const signalAtEndOfParent = (signal: number): Errno | undefined =>
  failed(cPrctl(PR_SET_PDEATHSIG, signal, 0, 0, 0));

/** Makes a directory beneath another; the caller has checked `path`. */
export function makeDirectoryAt(directory: number, path: string): Errno | undefined {
  return cMkdirat(directory, path, 0o755) === 0 ? undefined : errnoName(koffi.errno());
}

export function removeDirectoryAt(directory: number, path: string): Errno | undefined {
  return cUnlinkat(directory, path, AT_REMOVEDIR) === 0 ? undefined : errnoName(koffi.errno());
}

/**
 * Returns the number of bytes read, or the negative errno. Made for files that are read repeatedly: it costs less than
 * `readSync`, and a cgroup that has vanished (ENODEV) does not throw. Source: pread(2).
 */
export function readAt(fd: number, buffer: Uint8Array, position: number): number {
  return orErrno(Number(cPread(fd, buffer, buffer.byteLength, position)));
}

/**
 * Returns the number of bytes written, or the negative errno; for files that are written repeatedly. Source: write(2).
 */
export function writeBytes(fd: number, buffer: Uint8Array, size: number): number {
  return orErrno(Number(cWrite(fd, buffer, size)));
}

/**
 * Waits for one of `entries`, each a `struct pollfd` in two words. The first is the descriptor; the second has the
 * requested events in its lower half, and the received events in its upper half. -1 waits forever. Returns how many are
 * ready, or the negative errno. Source: poll(2).
 */
export function poll(entries: Int32Array, milliseconds: number): number {
  return orErrno(Number(cPoll(entries, entries.length / 2, milliseconds)));
}

const F_SETFL = 4;

/** Sets the status flags of an open file, such as O_NONBLOCK. Source: fcntl(2). */
export function setFileFlags(fd: number, flags: number): Errno | undefined {
  return failed(cFcntl(fd, F_SETFL, flags));
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;

/** Keeps a descriptor from the programs that this process starts. Source: fcntl(2). */
export function closeOnExec(fd: number): Errno | undefined {
  return failed(cFcntl(fd, F_SETFD, FD_CLOEXEC));
}

/** Returns another descriptor of the same open file, which started programs do not inherit. */
export function duplicateDescriptor(fd: number): OpenedFd {
  const copy = Number(cFcntl(fd, F_DUPFD_CLOEXEC, 3));
  return copy >= 0 ? { fd: copy } : { error: errnoName(koffi.errno()) };
}

/** Sets the uid with which this thread opens files; reports no error. Source: setfsuid(2). */
export const setFileUid = (uid: number): void => void cSetfsuid(uid);

/** Sets the gid likewise. Source: setfsgid(2). */
export const setFileGid = (gid: number): void => void cSetfsgid(gid);

const numberSetresuid = process.arch === 'x64' ? 117 : 147;

/**
 * Sets the real, effective and saved uid of only the calling thread, and with the effective one root's capabilities.
 * Source: setresuid(2), whose library function would change all threads.
 */
export const setThreadUids = (real: number, effective: number, saved: number): Errno | undefined =>
  failed(Number(syscallSetresuid(numberSetresuid, real, effective, saved)) < 0 ? -1 : 0);

/**
 * Signals every process that the calling thread may signal, except its own. Source: kill(2), pid -1. ESRCH if there is
 * none.
 */
export const signalEverybodyAllowed = (signal: number): Errno | undefined =>
  failed(cKill(-1, signal));

const NS_GET_PARENT = 0xb702;
const NS_GET_OWNER_UID = 0xb704;
const namespaceUid = new Uint32Array(1);

/** Returns the user namespace around `fd`'s; EPERM if we cannot see it. Source: ioctl_nsfs(2). */
export function namespaceParent(fd: number): OpenedFd {
  const parent = Number(cIoctl(fd, NS_GET_PARENT, null));
  return parent >= 0 ? { fd: parent } : { error: errnoName(koffi.errno()) };
}

/** Returns the uid that made `fd`'s user namespace. Source: ioctl_nsfs(2). */
export function namespaceOwner(fd: number): { readonly uid: number } | { readonly error: Errno } {
  if (Number(cIoctl(fd, NS_GET_OWNER_UID, namespaceUid)) < 0) {
    return { error: errnoName(koffi.errno()) };
  }
  return { uid: namespaceUid[0] ?? 0 };
}

const numberPidfdOpen = 434;
const PIDFD_THREAD = 0o200;
const PIDFD_GET_USER_NAMESPACE = 0xff09;

/**
 * Opens the user namespace of a process or thread. Never waits for it, as its links in /proc do while it is stuck in
 * execve(2); ESRCH if it is gone. Before Linux 6.11 ENOSYS, EINVAL or ENOTTY. Source: pidfd_open(2), linux/pidfd.h.
 */
export function userNamespaceOf(pid: number): OpenedFd {
  const pidfd = Number(syscallPidfdOpen(numberPidfdOpen, pid, PIDFD_THREAD));
  if (pidfd < 0) return { error: errnoName(koffi.errno()) };
  const fd = Number(cIoctl(pidfd, PIDFD_GET_USER_NAMESPACE, null));
  const error = fd < 0 ? errnoName(koffi.errno()) : undefined;
  closeSync(pidfd);
  return error === undefined ? { fd } : { error };
}

/** Waits until all data written to the file system of `fd` is on its disk. Source: syncfs(2). */
export const syncFileSystem = (fd: number): Errno | undefined => failed(cSyncfs(fd));

const orErrno = (answer: number) => (answer < 0 ? -koffi.errno() : answer);
const failed = (answer: number) => (answer < 0 ? errnoName(koffi.errno()) : undefined);
