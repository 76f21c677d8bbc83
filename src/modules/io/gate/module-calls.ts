/** The two system calls that load a module, used to show that the gate refuses them. */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import type { Errno } from '../../../../packages/base/problem.ts';
import { errnoName } from '../../../../packages/base/io/errno.ts';

const libc = koffi.load('libc.so.6');
const callFinit = libc.func('long syscall(long number, int fd, const char *arguments, int flags)');
const callInit = libc.func(
  'long syscall(long number, const void *image, unsigned long bytes, const char *arguments)',
);

/** Numbers of the calls. Source: asm/unistd_64.h of x86, asm-generic/unistd.h. */
const numbers = {
  x64: { init: 175, finit: 313 },
  arm64: { init: 105, finit: 273 },
} as const;

const isKnown = (arch: string): arch is keyof typeof numbers => Object.hasOwn(numbers, arch);

/** The numbers for this processor; undefined if unknown. */
export const moduleCalls = isKnown(process.arch) ? numbers[process.arch] : undefined;

/**
 * `MODULE_INIT_COMPRESSED_FILE` of finit_module(2): the kernel unpacks the file itself. Source:
 * linux/module.h.
 */
const compressedFile = 4;

type FileForm = 'plain' | 'compressed';

/** Asks the kernel to load the file; undefined if it did. */
export function loadFile(number: number, path: string, form: FileForm): Errno | undefined {
  const fd = openSync(path, 'r');
  try {
    return answered(callFinit(number, fd, '', form === 'plain' ? 0 : compressedFile) as number);
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether the kernel supports compressed files: Linux 5.17 and later check the flags before the
 * descriptor.
 */
export const unpacksFiles = (number: number): boolean =>
  answered(callFinit(number, -1, '', compressedFile) as number) === 'EBADF';

/** Asks the kernel to load bytes in memory; undefined if it did. */
export const loadBytes = (number: number, bytes: Uint8Array): Errno | undefined =>
  answered(callInit(number, bytes, bytes.length, '') as number);

const answered = (result: number): Errno | undefined =>
  result === 0 ? undefined : errnoName(koffi.errno());
