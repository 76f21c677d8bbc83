/**
 * A text file that administrators and programs edit, read and written as root on a host whose users may be hostile.
 *
 * Read: a regular file, of bounded size, that nobody but root (or whoever runs this) can change.
 * Written: under a lock, to a new file beside it that then takes its name. What another editor
 * changed since it was read is never overwritten.
 */
import { fstatSync, lstatSync, mkdirSync, type BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf, errnoOf } from '../errno.ts';
import { lockFile } from './flock.ts';
import {
  directoryProblem,
  isTrusted,
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from './pinned-directory.ts';
import {
  cannotRead,
  openRegularFile,
  readWhole,
  tooLarge,
  type RegularFile,
} from './regular-file.ts';
import { removeLeftovers, replaceIn, type Replacement } from './replace-file.ts';

/** What one kind of file has in common. */
export interface TextFormat {
  readonly bytesMax: number;
  readonly decode: (bytes: Uint8Array) => Result<string, Cause>;
  /** What to do if there is no file. */
  readonly hintIfMissing?: string;
}

/** Differs whenever the file was replaced or changed. */
interface FileVersion {
  readonly device: bigint;
  readonly inode: bigint;
  readonly modifiedNanoseconds: bigint;
  readonly changedNanoseconds: bigint;
  readonly bytes: bigint;
}

interface ReadText {
  readonly text: string;
  readonly version: FileVersion;
  /** Permission bits only. */
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Whether a file that others could have written is read too. */
export type Readers = 'trusted' | 'anybody';

const lockWaitMs = 10_000;
/** Only root reads a new file: a policy says which users the host has. */
const newMode = 0o600;

export function readTextFile(
  path: string,
  format: TextFormat,
  from: Readers,
): Result<string, Problem> {
  return inDirectory(path, format.hintIfMissing, (directory) => {
    const read = readIn(directory, path, format, from);
    return read.ok ? ok(read.value.text) : read;
  });
}

export interface Edited {
  readonly before: string;
  readonly after: string;
}

/** Reads, edits and saves under one lock. An edit that changes nothing writes nothing. */
export function editTextFile<E>(
  path: string,
  format: TextFormat,
  edit: (text: string) => Result<string, E>,
): Result<Edited, E | Problem> {
  return underLock<Edited, E>(path, format.hintIfMissing, (directory) => {
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
    const obstacle = () => changedSince(directory, path, version);
    const written = write(directory, path, after, { mode, owner, obstacle });
    return written.ok ? ok({ before, after }) : written;
  });
}

/** Writes a new file; one that exists is replaced only if `overwrite` says so, and keeps its mode and owner. */
export function createTextFile(
  path: string,
  text: string,
  { overwrite = false } = {},
): Result<void, Problem> {
  try {
    mkdirSync(dirname(path), { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') return cannotWrite(path, causeOf(error));
  }
  return underLock(path, undefined, (directory) => {
    const there = lstatSync(directory.at(basename(path)), { throwIfNoEntry: false });
    if (there === undefined) return write(directory, path, text, { mode: newMode });
    if (!overwrite) {
      return cannotWrite(path, { reason: 'it exists already', hint: 'pass --force to replace it' });
    }
    const opened = openTrusted(directory, path, undefined);
    if (!opened.ok) return opened;
    using file = opened.value;
    const { mode, owner, version } = stateOf(file);
    const obstacle = () => changedSince(directory, path, version);
    return write(directory, path, text, { mode, owner, obstacle });
  });
}

const cannotWrite = (object: string, cause: Cause) => failed({ ...cause, action: 'write', object });

function inDirectory<T, E>(
  path: string,
  hintIfMissing: string | undefined,
  use: (directory: PinnedDirectory) => Result<T, E>,
): Result<T, E | Problem> {
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) {
    const missing = pinned.error.errno === 'ENOENT';
    return cannotRead(path, missing ? notThere(hintIfMissing) : causedBy(pinned.error));
  }
  using directory = pinned.value;
  return use(directory);
}

const notThere = (hint: string | undefined): Cause => ({
  reason: 'it does not exist',
  errno: 'ENOENT',
  ...(hint !== undefined && { hint }),
});

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

function readIn(
  directory: PinnedDirectory,
  path: string,
  format: TextFormat,
  from: Readers,
): Result<ReadText, Problem> {
  const open = from === 'trusted' ? openTrusted : openAny;
  const opened = open(directory, path, format.hintIfMissing);
  if (!opened.ok) return opened;
  using file = opened.value;
  const state = stateOf(file);
  const bytes = readWhole(file, format.bytesMax);
  if (!bytes.ok) return bytes;
  const decoded = format.decode(bytes.value);
  return decoded.ok ? ok({ ...state, text: decoded.value }) : cannotRead(path, decoded.error);
}

function openAny(
  directory: PinnedDirectory,
  path: string,
  hintIfMissing: string | undefined,
): Result<RegularFile, Problem> {
  const opened = openRegularFile(directory.at(basename(path)), { links: 'refuse', shownAs: path });
  if (opened.ok) return opened;
  if (opened.error.errno === 'ENOENT') return cannotRead(path, notThere(hintIfMissing));
  if (opened.error.errno !== 'ELOOP') return opened;
  const hint = 'name the file that it leads to, or put the file in its place';
  return failed({ ...opened.error, hint });
}

/** The file, if only those whom we trust could have written it. */
function openTrusted(
  directory: PinnedDirectory,
  path: string,
  hintIfMissing: string | undefined,
): Result<RegularFile, Problem> {
  const opened = openAny(directory, path, hintIfMissing);
  if (!opened.ok) return opened;
  const problem = trustProblem(opened.value) ?? directoryProblem(directory);
  if (problem === undefined) return opened;
  opened.value[Symbol.dispose]();
  return cannotRead(path, problem);
}

function trustProblem({ path, stat }: RegularFile): Cause | undefined {
  if (!isTrusted(stat.uid))
    return { reason: `it belongs to uid ${stat.uid}`, hint: `run: chown root ${path}` };
  if (!writableByOthers(stat)) return undefined;
  return {
    reason: 'it can be written by others than its owner',
    hint: `run: chmod go-w ${path}`,
  };
}

function stateOf({ fd, stat }: RegularFile): Omit<ReadText, 'text'> {
  const { mode, uid, gid } = stat;
  const version = versionOf(fstatSync(fd, { bigint: true }));
  return { version, mode: mode & 0o7777, owner: { uid, gid } };
}

const versionOf = (stat: BigIntStats): FileVersion => ({
  device: stat.dev,
  inode: stat.ino,
  modifiedNanoseconds: stat.mtimeNs,
  changedNanoseconds: stat.ctimeNs,
  bytes: stat.size,
});

function changedSince(
  directory: PinnedDirectory,
  path: string,
  version: FileVersion,
): Cause | undefined {
  const stat = lstatSync(directory.at(basename(path)), { bigint: true, throwIfNoEntry: false });
  const now = stat === undefined ? undefined : versionOf(stat);
  const keys = Object.keys(version) as (keyof FileVersion)[];
  if (now !== undefined && keys.every((key) => now[key] === version[key])) return undefined;
  return { reason: 'another program changed it meanwhile', hint: 'run the command again' };
}

function write(
  directory: PinnedDirectory,
  path: string,
  text: string,
  replacement: Replacement,
): Result<void, Problem> {
  const written = replaceIn(directory, basename(path), text, replacement);
  return written.ok ? written : failed({ ...written.error, object: path });
}
