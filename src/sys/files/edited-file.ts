/**
 * A text file that administrators and programs edit, written as root on a host whose users may be hostile. Writes
 * happen under a lock, to a new file next to it that then takes its name. It never overwrites changes that another
 * editor made after the file was read.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { lockFile } from './flock.ts';
import {
  directoryProblem,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import { tooLarge } from '../../../packages/base/io/regular-file.ts';
import {
  removeLeftovers,
  replaceIn,
  type Replacement,
} from '../../../packages/base/io/replace-file.ts';
import {
  inDirectory,
  openTrusted,
  readIn,
  fileStateOf,
  fileVersionOf,
  isSameVersion,
  type FileVersion,
  type TextFormat,
} from './text-file.ts';

const lockWaitMs = 10_000;
/** Only root reads a new file: a policy shows which users the host has. */
const newMode = 0o600;

export interface EditedText {
  readonly before: string;
  readonly after: string;
}

/** Reads, edits and saves under one lock. An edit that changes nothing writes nothing. */
export function editTextFile<E>(
  path: string,
  format: TextFormat,
  edit: (text: string) => Result<string, E>,
): Result<EditedText, E | Problem> {
  return underLock<EditedText, E>(path, format.hintIfMissing, (directory) => {
    const original = readIn(directory, path, format, 'trusted');
    if (!original.ok) return original;
    const before = original.value.text;
    const edited = edit(before);
    if (!edited.ok) return edited;
    const after = edited.value;
    if (after === before) return ok({ before, after });
    const bytes = Buffer.byteLength(after);
    if (bytes > format.bytesMax) return cannotWrite(path, tooLarge(bytes, format.bytesMax));
    const { mode, owner, version } = original.value;
    const blocker = () => changedSince(directory, path, version);
    const written = write(directory, path, after, { mode, owner, obstacle: blocker });
    return written.ok ? ok({ before, after }) : written;
  });
}

/** Writes a new file; an existing file is replaced only if `overwrite` is set, and keeps its mode and owner. */
export function createFile(
  path: string,
  content: string | Uint8Array,
  { overwrite = false } = {},
): Result<void, Problem> {
  try {
    mkdirSync(dirname(path), { mode: 0o755 });
  } catch (error) {
    const errno = errnoOf(error);
    // Only one directory is made: a longer path may be a mistake.
    if (errno === 'ENOENT')
      return cannotWrite(path, {
        reason: `the directory ${dirname(dirname(path))} does not exist`,
        hint: 'create it first',
        errno,
      });
    if (errno !== 'EEXIST') return cannotWrite(path, causeOf(error));
  }
  return underLock(path, undefined, (directory) => {
    const there = lstatSync(directory.at(basename(path)), { throwIfNoEntry: false });
    if (there === undefined) return write(directory, path, content, { mode: newMode });
    if (!overwrite) {
      return cannotWrite(path, { reason: 'it exists already', hint: 'pass --force to replace it' });
    }
    const opened = openTrusted(directory, path, undefined);
    if (!opened.ok) return opened;
    using file = opened.value;
    const { mode, owner, version } = fileStateOf(file);
    const blocker = () => changedSince(directory, path, version);
    return write(directory, path, content, { mode, owner, obstacle: blocker });
  });
}

const cannotWrite = (object: string, cause: Cause) => failed({ ...cause, action: 'write', object });

function underLock<T, E>(
  path: string,
  hintIfMissing: string | undefined,
  use: (directory: PinnedDirectory) => Result<T, E | Problem>,
): Result<T, E | Problem> {
  return inDirectory<T, E | Problem>(path, hintIfMissing, (directory) => {
    try {
      const problem = directoryProblem(directory);
      if (problem !== undefined) return cannotWrite(path, problem);
      const name = `.${basename(path)}.lock`;
      const shownAs = `${directory.path}/${name}`;
      const locked = lockFile(directory.at(name), { waitMs: lockWaitMs, shownAs });
      if (!locked.ok) return cannotWrite(path, causedBy(locked.error));
      using _lock = locked.value;
      removeLeftovers(directory, basename(path));
      return use(directory);
    } catch (error) {
      return cannotWrite(path, causeOf(error));
    }
  });
}

function changedSince(
  directory: PinnedDirectory,
  path: string,
  version: FileVersion,
): Cause | undefined {
  const stat = lstatSync(directory.at(basename(path)), { bigint: true, throwIfNoEntry: false });
  const now = stat === undefined ? undefined : fileVersionOf(stat);
  if (now !== undefined && isSameVersion(now, version)) return undefined;
  return { reason: 'another program changed it meanwhile', hint: 'run the command again' };
}

function write(
  directory: PinnedDirectory,
  path: string,
  content: string | Uint8Array,
  replacement: Replacement,
): Result<void, Problem> {
  const written = replaceIn(directory, basename(path), content, replacement);
  return written.ok ? written : failed({ ...written.error, object: path });
}
