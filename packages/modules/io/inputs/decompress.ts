/**
 * Decompression in this process, bounded: output larger than the caller allows is an error.
 *
 * The system's liblzma unpacks xz; Node unpacks zstd and gzip. Without liblzma, and for formats
 * that only old kernels use, the program of that name does it.
 */
import { spawnSync } from 'node:child_process';
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { reasonOf } from '../../../base/io/errno.ts';
import { imageCompression, type Compression } from '../../core/kernel/image.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { xzDecoder, type XzError } from './liblzma.ts';
import { xzUnpackedBytes } from './xz-index.ts';
import { zstdFrame } from './zstd-frame.ts';

/** The largest buffer that is kept: nearly all modules are smaller. */
export const keptBytesMax = 8 * 2 ** 20;

/**
 * Memory that is reused for many files in a row, one a thread. The next `decompress` with the same
 * buffer overwrites the last result.
 */
export class OutputBuffer {
  #bytes: Uint8Array = new Uint8Array();

  take(size: number): Uint8Array {
    // An unusually large buffer is not kept.
    if (size > keptBytesMax) return new Uint8Array(size);
    if (this.#bytes.length < size) {
      // The buffer grows by half, so that a row of growing files does not allocate for each.
      const grown = Math.ceil(this.#bytes.length * 1.5);
      this.#bytes = new Uint8Array(Math.min(Math.max(size, grown), keptBytesMax));
    }
    return this.#bytes.subarray(0, size);
  }
}

/** Unpacks bytes; `limitBytes` limits the output. */
export function decompress(
  bytes: Uint8Array,
  how: Compression,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array, Cause> {
  return withinLimit(decompressUpTo(bytes, how, limitBytes, buffer), limitBytes);
}

function withinLimit(
  unpacked: Result<Uint8Array | 'too large', Cause>,
  limitBytes: number,
): Result<Uint8Array, Cause> {
  if (!unpacked.ok) return unpacked;
  return unpacked.value === 'too large' ? fail(tooLarge(limitBytes)) : ok(unpacked.value);
}

/** Unpacks for callers that can try again with a higher limit: the result may be `too large`. */
export function decompressUpTo(
  bytes: Uint8Array,
  how: Compression,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array | 'too large', Cause> {
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
      return throughProgram(bytes, how, limitBytes);
  }
}

/**
 * Returns the size that a file claims to unpack to; undefined if it does not. Only the index of xz
 * is reliable: in gzip and zstd the size is one part's, and there may be others.
 */
export function statedBytes(
  bytes: Uint8Array,
  how: Compression,
): Result<number | undefined, Cause> {
  if (how === 'xz') return xzUnpackedBytes(bytes);
  if (how === 'zstd') return ok(zstdFrame(bytes)?.contentBytes);
  return ok(how === 'gzip' && bytes.length >= gzipBytesMin ? gzipSize(bytes) : undefined);
}

/** The smallest gzip file, header and trailer; the last four bytes are the size, modulo 2^32. */
const gzipBytesMin = 18;
const gzipSize = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);

/**
 * Bytes read of a gzip file: enough for the name and the tables in front of the first byte; unpacks
 * to 4 MiB at most.
 */
const gzipStartBytes = 4096;
const startBytes = 64;

/**
 * Returns the first bytes, without unpacking the rest; none if the beginning cannot be unpacked.
 */
export function firstBytes(bytes: Uint8Array, how: Compression): Uint8Array {
  try {
    return startOf(bytes, how).subarray(0, startBytes);
  } catch (error) {
    if (isUnpackError(error)) return new Uint8Array();
    throw error;
  }
}

function startOf(bytes: Uint8Array, how: Compression): Uint8Array {
  if (how === 'gzip') {
    const finishFlush = constants.Z_SYNC_FLUSH;
    return gunzipSync(bytes.subarray(0, gzipStartBytes), { finishFlush });
  }
  if (how === 'zstd') {
    const finishFlush = constants.ZSTD_e_flush;
    const end = zstdFrame(bytes)?.firstBlockEnd ?? 0;
    return zstdDecompressSync(bytes.subarray(0, end), { finishFlush });
  }
  const decode = how === 'xz' ? xzDecoder() : undefined;
  if (decode === undefined) return runProgram(bytes, how, startBytes).stdout;
  const start = new Uint8Array(startBytes);
  decode(bytes, start);
  return start;
}

/** Unpacks by the first bytes; returns bytes that are not compressed as they are. */
export function decompressed(
  bytes: Uint8Array,
  limitBytes: number,
  buffer?: OutputBuffer,
): Result<Uint8Array, Cause> {
  const how = imageCompression(bytes);
  if (how !== undefined) return decompress(bytes, how, limitBytes, buffer);
  return bytes.length > limitBytes ? fail(tooLarge(limitBytes)) : ok(bytes);
}

const tooLarge = (limitBytes: number): Cause => ({
  reason: `it would unpack to more than ${limitBytes} bytes, which is the limit`,
});

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
): Result<Uint8Array | 'too large', Cause> {
  const size = xzUnpackedBytes(bytes);
  if (!size.ok) return size;
  if (size.value > limitBytes) return ok('too large');
  const decode = xzDecoder();
  if (decode === undefined) return throughProgram(bytes, 'xz', limitBytes);
  const into = buffer === undefined ? new Uint8Array(size.value) : buffer.take(size.value);
  const outcome = decode(bytes, into);
  if ('error' in outcome) return fail({ reason: xzErrors[outcome.error] });
  return ok(into.subarray(0, outcome.unpackedBytes));
}

interface UnpackOptions {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

/**
 * Returns a chunk size for output in one piece: Node's default pieces of 16 KiB would have to be
 * joined, which takes twice the memory. One byte more than needed avoids a second piece.
 */
function chunkSizeFor(bytes: Uint8Array, how: 'zstd' | 'gzip', limitBytes: number): number {
  const stated = how === 'gzip' ? gzipSize(bytes) : zstdFrame(bytes)?.contentBytes;
  // Kernels, which do not state it, unpack to five times as much; unwritten memory costs nothing.
  const expected = stated === undefined || stated > limitBytes ? bytes.length * 6 : stated + 1;
  return Math.max(Math.min(expected, limitBytes + 1), 2 ** 16);
}

function unpackWithNode(
  unpack: (bytes: Uint8Array, options: UnpackOptions) => Buffer,
  bytes: Uint8Array,
  how: 'zstd' | 'gzip',
  limitBytes: number,
): Result<Uint8Array | 'too large', Cause> {
  if (how === 'gzip' && bytes.length < gzipBytesMin)
    return fail({ reason: 'its gzip stream is cut off' });
  try {
    const chunkSize = chunkSizeFor(bytes, how, limitBytes);
    return ok(unpack(bytes, { maxOutputLength: Math.max(1, limitBytes), chunkSize }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') return ok('too large');
    if (code === 'Z_BUF_ERROR') return fail({ reason: `its ${how} stream is cut off` });
    if (isUnpackError(error)) return fail({ reason: `its ${how} stream is damaged` });
    throw error;
  }
}

function isUnpackError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && /^ZSTD_|^Z_/.test(code);
}

interface Program {
  readonly command: string;
  readonly arguments: readonly string[];
  /** The Debian package, for the hint. */
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

function runProgram(bytes: Uint8Array, how: keyof typeof programs, limitBytes: number) {
  const program = programs[how];
  return spawnSync(program.command, program.arguments, {
    input: bytes,
    maxBuffer: limitBytes,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Unpacks where liblzma is missing. Exported for a test. */
export const unpackWithProgram = (
  bytes: Uint8Array,
  how: keyof typeof programs,
  limitBytes: number,
): Result<Uint8Array, Cause> => withinLimit(throughProgram(bytes, how, limitBytes), limitBytes);

function throughProgram(
  bytes: Uint8Array,
  how: keyof typeof programs,
  limitBytes: number,
): Result<Uint8Array | 'too large', Cause> {
  const program = programs[how];
  const run = runProgram(bytes, how, limitBytes);
  const { code } = (run.error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    const library = how === 'xz' ? 'liblzma (package "liblzma5") or ' : '';
    return fail({
      reason: `it is compressed with ${how}`,
      hint: `install ${library}"${program.command}" (package "${program.package}") to read it`,
    });
  }
  if (code === 'ENOBUFS') return ok('too large');
  // The program stopped before it had read all; its status shows why.
  if (run.error !== undefined && code !== 'EPIPE') return fail({ reason: reasonOf(run.error) });
  return run.status === 0 ? ok(run.stdout) : fail({ reason: `its ${how} stream is damaged` });
}

export { imageCompression };
