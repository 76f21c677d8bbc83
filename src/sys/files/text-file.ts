/**
 * A text file that administrators and programs edit, read as root on a host whose users may be hostile. It must be a
 * regular file of bounded size that only root (or whoever runs this) can change.
 */
import { fstatSync, type BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  directoryProblem,
  isTrusted,
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import {
  cannotRead,
  openRegularFile,
  readWhole,
  type RegularFile,
} from '../../../packages/base/io/regular-file.ts';

/** The properties of one kind of file. */
export interface TextFormat {
  readonly bytesMax: number;
  readonly decode: (bytes: Uint8Array) => Result<string, Cause>;
  /** The hint if the file is missing. */
  readonly hintIfMissing?: string;
}

/** Differs whenever the file was replaced or changed. */
export interface FileVersion {
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

/** Whether to read files that others could have written, too. */
export type Readers = 'trusted' | 'anybody';

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

export function inDirectory<T, E>(
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

export function readIn(
  directory: PinnedDirectory,
  path: string,
  format: TextFormat,
  from: Readers,
): Result<ReadText, Problem> {
  const open = from === 'trusted' ? openTrusted : openAny;
  const opened = open(directory, path, format.hintIfMissing);
  if (!opened.ok) return opened;
  using file = opened.value;
  const state = fileStateOf(file);
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

/** Opens the file, if only trusted accounts could have written it. */
export function openTrusted(
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

export function fileStateOf({ fd, stat }: RegularFile): Omit<ReadText, 'text'> {
  const { mode, uid, gid } = stat;
  const version = fileVersionOf(fstatSync(fd, { bigint: true }));
  return { version, mode: mode & 0o7777, owner: { uid, gid } };
}

export const isSameVersion = (a: FileVersion, b: FileVersion): boolean =>
  (Object.keys(a) as (keyof FileVersion)[]).every((key) => a[key] === b[key]);

export const fileVersionOf = (stat: BigIntStats): FileVersion => ({
  device: stat.dev,
  inode: stat.ino,
  modifiedNanoseconds: stat.mtimeNs,
  changedNanoseconds: stat.ctimeNs,
  bytes: stat.size,
});
