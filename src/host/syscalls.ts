/**
 * The few system calls that Node has no function for, by FFI.
 *
 * Each is declared once here with its C prototype; a wrong one would crash the process, so every
 * declaration is exercised by a test on the real kernel.
 */
import koffi from 'koffi';
import { errnoName, type ErrnoName } from './errno.ts';

const libc = koffi.load('libc.so.6');

const syscallOpenat2 = libc.func(
  'long syscall(long number, int dirfd, const char *path, void *how, size_t size)',
);
const cMkdirat = libc.func('int mkdirat(int dirfd, const char *path, uint32_t mode)');
const cUnlinkat = libc.func('int unlinkat(int dirfd, const char *path, int flags)');
const cPread = libc.func('long pread(int fd, void *buffer, size_t size, int64_t offset)');
const cSysconf = libc.func('long sysconf(int name)');

const sysconfPageSize = 30;

/** Size of a page of memory. Source: sysconf(3). */
export const pageBytes = (): number => Number(cSysconf(sysconfPageSize));

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

/** A descriptor, or the error. */
export type Opened = { readonly fd: number } | { readonly error: ErrnoName };

/**
 * Opens `path` beneath `directory`, following no symbolic link and no way out.
 * ENOSYS before Linux 5.6. Source: openat2(2).
 */
export function openBeneath(directory: number, path: string, flags: number): Opened {
  how[0] = BigInt(flags);
  const fd = Number(syscallOpenat2(numberOpenat2, directory, path, how, how.byteLength));
  return fd >= 0 ? { fd } : { error: errnoName(koffi.errno()) };
}

/** mkdir beneath a directory; `path` has been checked by the caller. */
export function makeDirectoryAt(directory: number, path: string): ErrnoName | undefined {
  return cMkdirat(directory, path, 0o755) === 0 ? undefined : errnoName(koffi.errno());
}

export function removeDirectoryAt(directory: number, path: string): ErrnoName | undefined {
  return cUnlinkat(directory, path, AT_REMOVEDIR) === 0 ? undefined : errnoName(koffi.errno());
}

/**
 * The number of bytes read, or -1. For files that are read over and over: it costs less than
 * `readSync`, and a cgroup that has vanished (ENODEV) is no exception. Source: pread(2).
 */
export function readAt(fd: number, buffer: Uint8Array, position: number): number {
  return Number(cPread(fd, buffer, buffer.byteLength, position));
}
