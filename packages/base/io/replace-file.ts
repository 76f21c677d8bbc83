/**
 * Replaces a file whole: the text goes to a new file next to it that then takes its name. So a reader finds the old
 * text or the new one, whatever happens meanwhile.
 *
 *     .policy.xml.5f1c0a9d3b7e2468.tmp
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { failed, type Cause, type Problem } from '../problem.ts';
import { ok, type Result } from '../result.ts';
import { causeOf, errnoOf } from './errno.ts';
import { pinDirectory, type PinnedDirectory } from './pinned-directory.ts';

export interface Replacement {
  /** Permission bits, whatever the umask is. */
  readonly mode: number;
  /** The owner; if absent, whoever runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Set for a file that is rewritten every few seconds and worthless after a crash. */
  readonly withoutSync?: boolean;
  /** Checks, once the new text is on disk, whether the old one must stay; returns why. */
  readonly obstacle?: () => Cause | undefined;
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Creates a new file, so that nothing is written through a planted link or to a planted file. Throws Node's errors. */
export const createNewFile = (path: string, mode: number): number =>
  openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);

/** Creates a new file that has no readers yet; an existing file stays. The caller syncs it. */
export function createUnsynced(path: string, text: string, mode: number): Result<void, Problem> {
  try {
    writeNew(path, text, { mode, withoutSync: true });
    return ok(undefined);
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno !== 'EEXIST') discard(path);
    return failed({ ...cause, action: 'write', object: path });
  }
}

/** A thousand separate random names would take as long as the files. */
const nameOfProcess = randomBytes(4).toString('hex');
let namesGiven = 0;
const uniqueName = () => `${nameOfProcess}${(namesGiven++).toString(16).padStart(8, '0')}`;

/** Replaces a file. Its directory may be reached by links; it belongs to root, or to whoever runs this. */
export function replaceFile(path: string, text: string, mode = 0o644): Result<void, Problem> {
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  return replaceIn(directory, basename(path), text, { mode });
}

/** Replaces a file that only its owner can read, in a directory of ours that is made if it is missing. */
export function replaceStateFile(path: string, text: string): Result<void, Problem> {
  const object = dirname(path);
  try {
    mkdirSync(object, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object, ...causeOf(error) });
  }
  return replaceFile(path, text, 0o600);
}

export function replaceIn(
  directory: PinnedDirectory,
  name: string,
  content: string | Uint8Array,
  replacement: Replacement,
): Result<void, Problem> {
  const temporary = directory.at(`.${name}.${uniqueName()}.tmp`);
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'write', object: join(directory.path, name) });
  try {
    writeNew(temporary, content, replacement);
    const blocker = replacement.obstacle?.();
    if (blocker !== undefined) {
      unlinkSync(temporary);
      return cannot(blocker);
    }
    renameSync(temporary, directory.at(name));
    if (replacement.withoutSync !== true) fsyncSync(directory.fd);
    return ok(undefined);
  } catch (error) {
    discard(temporary);
    return cannot(causeOf(error));
  }
}

function discard(temporary: string): void {
  try {
    unlinkSync(temporary);
  } catch {
    // The reported failure is why we could not write it.
  }
}

function writeNew(
  path: string,
  content: string | Uint8Array,
  { mode, owner, withoutSync }: Replacement,
): void {
  const fd = createNewFile(path, 0o600);
  try {
    // All of it: a disk that fills up accepts a part, and fails with the next.
    writeFileSync(fd, content);
    // In this order: chown clears set-id bits, and the wrong owner never gets the final mode.
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
    if (withoutSync !== true) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Removes leftovers of killed writers of the file. The caller must have a lock or be the only writer: another writer
 * would lose its temporary file. Throws Node's errors.
 */
export function removeLeftovers(directory: PinnedDirectory, name: string): void {
  const start = `.${name}.`;
  for (const each of readdirSync(directory.at('.'))) {
    if (!each.startsWith(start)) continue;
    if (/^[0-9a-f]{16}\.tmp$/.test(each.slice(start.length))) removeIfThere(directory.at(each));
  }
}

/** Removes a file if it exists. Throws Node's errors. */
export function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes a file if it is there. */
export function removeFile(object: string): Result<void, Problem> {
  try {
    removeIfThere(object);
    return ok(undefined);
  } catch (error) {
    return failed({ ...causeOf(error), action: 'remove', object });
  }
}

/** Removes a file of a directory if it is there, for good: the directory is synced. Throws Node's errors. */
export function removeIn(directory: PinnedDirectory, name: string): void {
  removeIfThere(directory.at(name));
  fsyncSync(directory.fd);
}

/** Removes a directory of ours with all that it contains, if it is there. */
export function removeTree(object: string): Result<void, Problem> {
  try {
    rmSync(object, { recursive: true, force: true });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object, ...causeOf(error) });
  }
}
