/**
 * The few system calls that Node has no function for, by FFI.
 *
 * Each is declared once here with its C prototype; a wrong one would crash the process, so every
 * declaration is exercised by a test on the real kernel.
 */
import koffi from 'koffi';
import { errnoName, type ErrnoName } from './errno.ts';

const libc = koffi.load('libc.so.6');

koffi.struct('open_how', { flags: 'uint64_t', mode: 'uint64_t', resolve: 'uint64_t' });

const syscallOpenat2 = libc.func(
  'long syscall(long number, int dirfd, const char *path, open_how *how, size_t size)',
);
const cMkdirat = libc.func('int mkdirat(int dirfd, const char *path, uint32_t mode)');
const cUnlinkat = libc.func('int unlinkat(int dirfd, const char *path, int flags)');
const cSysconf = libc.func('long sysconf(int name)');

const sysconfPageSize = 30;

/** Size of a page of memory. Source: sysconf(3). */
export const pageBytes = (): number => Number(cSysconf(sysconfPageSize));

/** The same number on every architecture that has it. */
const numberOpenat2 = 437;
const AT_REMOVEDIR = 0x200;
const resolveFlags = { noMagiclinks: 0x02, noSymlinks: 0x04, beneath: 0x08 };
const resolve = BigInt(resolveFlags.noMagiclinks | resolveFlags.noSymlinks | resolveFlags.beneath);
const howBytes = 24;

/** A descriptor, or the error. */
export type Opened = { readonly fd: number } | { readonly error: ErrnoName };

/**
 * Opens `path` beneath `directory`, following no symbolic link and no way out.
 * ENOSYS before Linux 5.6. Source: openat2(2).
 */
export function openBeneath(directory: number, path: string, flags: number): Opened {
  const how = { flags, mode: 0, resolve };
  const fd = Number(syscallOpenat2(numberOpenat2, directory, path, how, howBytes));
  return fd >= 0 ? { fd } : { error: errnoName(koffi.errno()) };
}

/** mkdir beneath a directory; `path` has been checked by the caller. */
export function makeDirectoryAt(directory: number, path: string): ErrnoName | undefined {
  return cMkdirat(directory, path, 0o755) === 0 ? undefined : errnoName(koffi.errno());
}

export function removeDirectoryAt(directory: number, path: string): ErrnoName | undefined {
  return cUnlinkat(directory, path, AT_REMOVEDIR) === 0 ? undefined : errnoName(koffi.errno());
}
