/** Reads a drop-in, and describes its change. One that somebody else could have written is a problem. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { FileChange } from '../../sys/files/file-transaction.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import type { ConfinePaths } from './places.ts';

const lockWaitMs = 10_000;
const format = {
  bytesMax: 256 * 1024,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

/** Locks from reading the file to the end of the restart. */
export function lockConfine({ state }: ConfinePaths): Result<FileLock, Problem> {
  const directory = ensurePrivateDirectory(state);
  return directory.ok ? lockFile(`${state}/.lock`, { waitMs: lockWaitMs }) : directory;
}

export function readDropIn(path: string): Result<string | undefined, Problem> {
  const read = readTextFile(path, format, 'trusted');
  if (read.ok) return read;
  return read.error.errno === 'ENOENT' ? ok(undefined) : read;
}

/** Returns the change of a drop-in; undefined stands for no file. Its directory goes with the last file in it. */
export const dropInChange = (
  path: string,
  before: string | undefined,
  after: string | undefined,
): FileChange => ({ path, before, after, ownDirectory: true });
