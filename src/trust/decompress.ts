/**
 * Unpacking in this process, bounded: what would become larger than the caller allows is an error that says so.
 *
 * xz by the system's liblzma, zstd and gzip by Node. Without liblzma, and for what only old kernels are
 * packed with, by the program of that name.
 */
import { spawnSync } from 'node:child_process';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { reasonOf } from '../host/errno.ts';
import { compressionOf, type Compression } from '../modules/kernel/image.ts';
import { fail, ok, type Result } from '../units/result.ts';
import { xzDecoder, type XzError } from './liblzma.ts';
import { xzUnpackedBytes } from './xz-index.ts';

const keptBytesMax = 32 * 2 ** 20;

/**
 * Memory that is used again: for many files in a row, one a thread. What `decompress` answers is then
 * overwritten by the next call with the same buffer.
 */
export class OutputBuffer {
  #bytes: Uint8Array = new Uint8Array();

  take(size: number): Uint8Array {
    // What is out of the ordinary is not kept.
    if (size > keptBytesMax) return new Uint8Array(size);
    if (this.#bytes.length < size) {
      // Half as much again, so that a row of growing files does not allocate for each.
      this.#bytes = new Uint8Array(Math.ceil(Math.max(size, this.#bytes.length * 1.5)));
    }
    return this.#bytes.subarray(0, size);
  }
}

/** `limitBytes` is of the output. The error is a clause: `it is damaged`, without the name of the file. */
export function decompress(
  bytes: Uint8Array,
  how: Compression,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array> {
  switch (how) {
    case 'xz':
      return unpackXz(bytes, limitBytes, buffer);
    case 'zstd':
      return unpackWithNode(zstdDecompressSync, bytes, how, limitBytes);
    case 'gzip':
      return unpackWithNode(gunzipSync, bytes, how, limitBytes);
    case 'lz4':
    case 'lzma':
    case 'bzip2':
    case 'lzo':
      return unpackWithProgram(bytes, how, limitBytes);
  }
}

/** Bytes that are not compressed, told by their first ones, are answered as they are. */
export function decompressed(
  bytes: Uint8Array,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array> {
  const how = compressionOf(bytes);
  if (how !== undefined) return decompress(bytes, how, limitBytes, buffer);
  return bytes.length > limitBytes ? fail(tooLarge(limitBytes)) : ok(bytes);
}

const tooLarge = (limitBytes: number): string =>
  `it would unpack to more than ${limitBytes} bytes, which is the limit`;

const xzErrors: Readonly<Record<XzError, string>> = {
  full: 'it unpacks to more than its index says',
  memory: 'unpacking it would take more than 256 MiB of memory',
  corrupt: 'its xz stream is damaged',
  unsupported: 'its xz stream uses a filter or a check that liblzma does not know',
  'cut off': 'its xz stream is cut off',
  failed: 'liblzma could not unpack it',
};

function unpackXz(
  bytes: Uint8Array,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array> {
  const size = xzUnpackedBytes(bytes);
  if (!size.ok) return size;
  if (size.value > limitBytes) return fail(tooLarge(limitBytes));
  const decode = xzDecoder();
  if (decode === undefined) return unpackWithProgram(bytes, 'xz', limitBytes);
  const into = buffer === undefined ? new Uint8Array(size.value) : buffer.take(size.value);
  const outcome = decode(bytes, into);
  if ('error' in outcome) return fail(xzErrors[outcome.error]);
  return ok(into.subarray(0, outcome.unpackedBytes));
}

interface UnpackOptions {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

/** Room for what a module unpacks to: Node's own 16 KiB at a time would be put together afterwards. */
function unpackWithNode(
  unpack: (bytes: Uint8Array, options: UnpackOptions) => Buffer,
  bytes: Uint8Array,
  how: Compression,
  limitBytes: number,
): Result<Uint8Array> {
  try {
    const chunkSize = Math.min(Math.max(bytes.length * 4, 2 ** 16), 2 ** 24);
    return ok(unpack(bytes, { maxOutputLength: Math.max(1, limitBytes), chunkSize }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') return fail(tooLarge(limitBytes));
    if (code === 'Z_BUF_ERROR') return fail(`its ${how} stream is cut off`);
    if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
      return fail(`its ${how} stream is damaged`);
    }
    throw error;
  }
}

interface Program {
  readonly command: string;
  readonly arguments: readonly string[];
  /** Debian's package, for the hint. */
  readonly package: string;
}

const programs = {
  xz: { command: 'xz', arguments: ['-dc', '--memlimit=256MiB'], package: 'xz-utils' },
  lzma: {
    command: 'xz',
    arguments: ['--format=lzma', '-dc', '--memlimit=256MiB'],
    package: 'xz-utils',
  },
  lz4: { command: 'lz4', arguments: ['-dc'], package: 'lz4' },
  bzip2: { command: 'bzip2', arguments: ['-dc'], package: 'bzip2' },
  lzo: { command: 'lzop', arguments: ['-dc'], package: 'lzop' },
} as const satisfies Partial<Record<Compression, Program>>;

/** Exported for a test: what is used where liblzma is missing. */
export function unpackWithProgram(
  bytes: Uint8Array,
  how: keyof typeof programs,
  limitBytes: number,
): Result<Uint8Array> {
  const program = programs[how];
  const run = spawnSync(program.command, program.arguments, {
    input: bytes,
    maxBuffer: limitBytes,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { code } = (run.error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    const library = how === 'xz' ? 'liblzma (package "liblzma5") or ' : '';
    return fail(
      `it is compressed with ${how}; install ${library}"${program.command}" (package "${program.package}") to read it`,
    );
  }
  if (code === 'ENOBUFS') return fail(tooLarge(limitBytes));
  // The program stopped before it had read all; its status says why.
  if (run.error !== undefined && code !== 'EPIPE') return fail(reasonOf(run.error));
  return run.status === 0 ? ok(run.stdout) : fail(`its ${how} stream is damaged`);
}

export { compressionOf };
