/** Reads and writes a drop-in: whole or not there, in directories of root, never one that somebody else wrote. */
import { fsyncSync, mkdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { directoryProblem, pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import {
  removeIfThere,
  removeLeftovers,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import type { Places } from './places.ts';

const lockWaitMs = 10_000;
const format = {
  bytesMax: 256 * 1024,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

/** Locks from reading the file to the end of the restart. */
export function lockConfine({ state }: Places): Result<FileLock, Problem> {
  const directory = ensurePrivateDirectory(state);
  return directory.ok ? lockFile(`${state}/.lock`, { waitMs: lockWaitMs }) : directory;
}

export function readDropIn(path: string): Result<string | undefined, Problem> {
  const read = readTextFile(path, format, 'trusted');
  if (read.ok) return read;
  return read.error.errno === 'ENOENT' ? ok(undefined) : read;
}

/** Writes the drop-in. Without a text it removes the file, and its directory if nothing else is in it. */
export function putDropIn(path: string, text: string | undefined): Result<void, Problem> {
  const directory = dirname(path);
  try {
    if (text !== undefined) mkdirSync(directory, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') return cannot(path, error);
  }
  const done = putIn(directory, basename(path), text);
  if (!done.ok || text !== undefined) return done;
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errnoOf(error)))
      return cannot(directory, error);
  }
  return ok(undefined);
}

function putIn(path: string, name: string, text: string | undefined): Result<void, Problem> {
  const pinned = pinDirectory(path, 'refuse');
  if (!pinned.ok)
    return text === undefined && pinned.error.errno === 'ENOENT' ? ok(undefined) : pinned;
  using directory = pinned.value;
  const unsafe = directoryProblem(directory);
  if (unsafe !== undefined)
    return failed({ ...unsafe, action: 'write', object: `${path}/${name}` });
  try {
    removeLeftovers(directory, name);
    if (text !== undefined) return replaceIn(directory, name, text, { mode: 0o644 });
    removeIfThere(directory.at(name));
    fsyncSync(directory.fd);
    return ok(undefined);
  } catch (error) {
    return cannot(`${path}/${name}`, error);
  }
}

const cannot = (object: string, error: unknown) =>
  failed({ ...causeOf(error), action: 'write', object });
