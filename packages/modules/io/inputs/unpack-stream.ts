/**
 * Decompression of a part of a file as a stream, so that a large archive is never in memory as a
 * whole. This process unpacks gzip and zstd; programs unpack xz (and lzma) and bzip2.
 */
import { spawn } from 'node:child_process';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { reasonOf } from '../../../base/io/errno.ts';
import type { OpenFile } from './archive-files.ts';

type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'lzma' | 'bzip2';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** Returns the compression by the first bytes, never by a name. */
export function compressionOf(start: Uint8Array): Compression {
  const found = magics.find(([, magic]) => magic.every((byte, index) => start[index] === byte));
  return found?.[0] ?? 'none';
}

const pieceBytes = 256 * 1024;
/**
 * The memory that xz may use: the largest preset needs 65 MiB, long windows of large packages a few
 * hundred.
 */
const xzMemory = '512MiB';

const programs: Readonly<Partial<Record<Compression, readonly [string, string, ...string[]]>>> = {
  xz: ['xz', 'xz-utils', '-dc', '--quiet', `--memlimit-decompress=${xzMemory}`],
  lzma: ['xz', 'xz-utils', '-dc', '--quiet', `--memlimit-decompress=${xzMemory}`],
  bzip2: ['bzip2', 'bzip2', '-dc', '--quiet'],
};

/** An error about a damaged stream or a missing program; the message has a remedy. */
export class UnpackError extends Error {}

/**
 * Yields the unpacked bytes in pieces. Throws UnpackError. Leaving the iteration early ends the
 * program.
 */
export async function* unpacked(
  file: OpenFile,
  offset: number,
  bytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  const how = compressionOf(file.readAt(offset, Math.min(bytes, 8)));
  const program = programs[how];
  if (program !== undefined) yield* throughProgram(stored(file, offset, bytes), program);
  else if (how === 'none') yield* stored(file, offset, bytes);
  else yield* throughZlib(stored(file, offset, bytes), how);
}

function* stored(file: OpenFile, offset: number, bytes: number): Generator<Uint8Array, void, void> {
  for (let done = 0; done < bytes;) {
    const piece = file.readAt(offset + done, Math.min(pieceBytes, bytes - done));
    if (piece.length === 0) return;
    done += piece.length;
    yield piece;
  }
}

async function* throughZlib(pieces: Iterable<Uint8Array>, how: Compression) {
  const options = { chunkSize: pieceBytes };
  const inflate: Transform = how === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  // The iteration throws the error too.
  pipeline(Readable.from(pieces), inflate, () => undefined);
  try {
    for await (const piece of inflate) yield piece as Uint8Array;
  } catch (error) {
    throw new UnpackError(`its ${how} data is damaged (${(error as Error).message})`);
  } finally {
    inflate.destroy();
  }
}

async function* throughProgram(
  pieces: Iterable<Uint8Array>,
  [program, debianPackage, ...args]: readonly [string, string, ...string[]],
) {
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null | Error>((resolve) => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
  let logged = '';
  child.stderr?.on('data', (text: Buffer) => {
    if (logged.length < 500) logged += text.toString('latin1');
  });
  if (child.stdin === null || child.stdout === null) {
    throw new UnpackError('this process has too many files open');
  }
  pipeline(Readable.from(pieces), child.stdin, () => undefined);
  try {
    for await (const piece of child.stdout) yield piece as Uint8Array;
    const end = await ended;
    if (end instanceof Error) throw new UnpackError(missing(end, program, debianPackage));
    if (end !== 0)
      throw new UnpackError(`${program} cannot unpack it: ${logged.trim() || `status ${end}`}`);
  } finally {
    child.kill('SIGKILL');
  }
}

function missing(error: Error, program: string, debianPackage: string): string {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return `${program}: ${reasonOf(error)}`;
  return `the program ${program} is not installed; install it (Debian: apt install ${debianPackage})`;
}
