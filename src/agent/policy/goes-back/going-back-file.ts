/**
 * The file of changes that go back by themselves: a list of entries in JSON, for root only. Each change of it is of the
 * entries of then, since other processes change it as well.
 *
 * Damage never counts as "none goes back": a damaged file stays under another name, the entries that can still be used
 * are written anew, and `notGoingBack` reports the rest until somebody has deleted the file that was set aside.
 *
 *     policy-goes-back.json   policy-goes-back.json.damaged-20270114T100359123Z
 */
import { existsSync, linkSync, lstatSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';
import {
  decodeText,
  openRegularFile,
  readWhole,
} from '../../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { underLock } from '../../../sys/files/under-lock.ts';

export interface GoingBack {
  readonly file: string;
  /** The texts before and after, compressed, in base64. */
  readonly texts: string;
  /** SHA-256 of the text after. */
  readonly afterKey: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How long that was from the change. */
  readonly seconds: number;
  readonly user: string;
  readonly uid: number;
  /** Whether the change is known to be in the policy. */
  readonly isWritten: boolean;
  /** The number of the change, once it is recorded. */
  readonly change?: number;
}

type StatePaths = Pick<Paths, 'state'>;
type FilePaths = Pick<Paths, 'state' | 'runtime'>;

/** The agent's ticks wait for it. */
const lockMilliseconds = 2_000;
const bytesMax = 256 * 2 ** 20;

export const goingBackFile = ({ state }: StatePaths): string => `${state}/policy-goes-back.json`;

const lockOf = ({ runtime }: FilePaths) => `${runtime}/policy-goes-back.lock`;

/** Returns the entries that can be used, the latest first. */
export function goingBackEntries(paths: StatePaths): readonly GoingBack[] {
  const read = readEntries(paths);
  return read.ok ? read.value.entries : [];
}

interface ReadEntries {
  readonly entries: readonly GoingBack[];
  /** Whether the file has something else as well. */
  readonly isDamaged: boolean;
}

function readEntries(paths: StatePaths): Result<ReadEntries, Problem> {
  const opened = openRegularFile(goingBackFile(paths), { links: 'refuse' });
  if (!opened.ok)
    return opened.error.errno === 'ENOENT' ? ok({ entries: [], isDamaged: false }) : opened;
  using file = opened.value;
  const read = readWhole(file, bytesMax);
  return read.ok ? ok(parseEntries(decodeText(read.value))) : read;
}

function parseEntries(text: string): ReadEntries {
  try {
    const all: unknown = JSON.parse(text);
    if (!Array.isArray(all)) return { entries: [], isDamaged: true };
    const entries = (all as readonly unknown[]).filter(isEntry);
    return { entries, isDamaged: entries.length < all.length };
  } catch {
    return { entries: [], isDamaged: true };
  }
}

function isEntry(value: unknown): value is GoingBack {
  if (typeof value !== 'object' || value === null) return false;
  const { file, texts, afterKey, at, seconds, user, uid } = value as Partial<GoingBack>;
  return (
    [file, texts, afterKey, user].every((each) => typeof each === 'string') &&
    [at, seconds, uid].every((each) => Number.isFinite(each))
  );
}

/** Changes the entries. A file that cannot be read stays as it is. */
export const changeEntries = (
  paths: FilePaths,
  edit: (entries: readonly GoingBack[]) => Result<readonly GoingBack[], Problem>,
): Result<void, Problem> =>
  underLock(
    lockOf(paths),
    () => {
      const read = usableEntries(paths, () => true);
      const entries = read.ok ? edit(read.value) : read;
      return entries.ok ? save(paths, entries.value) : entries;
    },
    lockMilliseconds,
  );

/** Sets a file aside that has entries which cannot be used; the others stay in force. */
export function setDamagedAside(
  paths: FilePaths,
  isUsable: (entry: GoingBack) => boolean,
): Result<void, Problem> {
  const seen = readEntries(paths);
  if (!seen.ok) return seen;
  if (!seen.value.isDamaged && seen.value.entries.every(isUsable)) return ok(undefined);
  const act = () => {
    const read = usableEntries(paths, isUsable);
    return read.ok ? ok(undefined) : read;
  };
  return underLock(lockOf(paths), act, lockMilliseconds);
}

/** The whole file has a second name before it is written anew: so a kill in between loses nothing. */
function usableEntries(
  paths: StatePaths,
  isUsable: (entry: GoingBack) => boolean,
): Result<readonly GoingBack[], Problem> {
  const read = readEntries(paths);
  if (!read.ok) return read;
  const usable = read.value.entries.filter(isUsable);
  if (!read.value.isDamaged && usable.length === read.value.entries.length) return ok(usable);
  const object = goingBackFile(paths);
  try {
    // A kill, or a full disk, may have left the name that the last attempt gave it.
    const { ino } = lstatSync(object);
    if (damagedFiles(paths).every((each) => lstatSync(each).ino !== ino))
      linkSync(object, `${object}${damagedMark}${stamp()}`);
    for (const oldest of damagedFiles(paths).slice(0, -damagedMax)) rmSync(oldest);
  } catch (error) {
    return failed({ action: 'set the damaged file aside', object, ...causeOf(error) });
  }
  const saved = save(paths, usable);
  return saved.ok ? ok(usable) : saved;
}

/** The files that were set aside; the oldest go for others. */
const damagedMax = 8;
const damagedMark = '.damaged-';
const stamp = () => new Date().toISOString().replaceAll(/[-:.]/g, '');

/** Returns the files that were set aside, the oldest first. */
export function damagedFiles(paths: StatePaths): readonly string[] {
  const file = goingBackFile(paths);
  const names = namesIn(dirname(file));
  return names
    .filter((name) => name.startsWith(`${basename(file)}${damagedMark}`))
    .map((name) => `${dirname(file)}/${name}`);
}

/** Returns that changes do not go back by themselves because their file was damaged, until each copy of it is deleted. */
export function notGoingBack(paths: StatePaths): Problem | undefined {
  const [object, ...others] = damagedFiles(paths);
  if (object === undefined) return undefined;
  const more = others.length === 0 ? '' : `, and ${others.length} others next to it`;
  return {
    action: 'let changes of the policy go back by themselves',
    object,
    reason: `the file was damaged${more}, so what they set stays in force`,
    hint: '"bulkhead policy log" lists all changes, and "bulkhead policy undo" undoes one; delete the file afterwards',
  };
}

function save(paths: StatePaths, entries: readonly GoingBack[]): Result<void, Problem> {
  const object = goingBackFile(paths);
  if (entries.length === 0 && !existsSync(object)) return ok(undefined);
  // Unlike a removal, an empty list survives a power failure.
  const saved = replaceStateFile(object, JSON.stringify(entries));
  if (!saved.ok || entries.length > 0) return saved;
  try {
    rmSync(object, { force: true });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object, ...causeOf(error) });
  }
}
