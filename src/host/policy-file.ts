/**
 * The policy file, read and written as root on a host whose users may be hostile.
 *
 * Read: a regular file, of bounded size, that nobody but root (or whoever runs this) can change.
 * Written: under a lock, to a new file beside it that then takes its name, so that a reader finds
 * the old text or the new one, whatever happens meanwhile. What another editor changed since it
 * was read is never overwritten.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { decodeXml, bytesMax } from '../policy/xml.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { errnoOf, quoted, reasonOf } from '../sys/errno.ts';
import { lockFile } from '../sys/files/flock.ts';
import {
  directoryProblem,
  isTrusted,
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from '../sys/files/pinned-directory.ts';

export interface PolicyText {
  readonly path: string;
  readonly text: string;
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly version: FileVersion;
}

/** Differs whenever the file was replaced or changed. */
export interface FileVersion {
  readonly device: bigint;
  readonly inode: bigint;
  readonly modifiedNanoseconds: bigint;
  readonly changedNanoseconds: bigint;
  readonly bytes: bigint;
}

const nothingThere = 'it does not exist; bulkhead init writes a first one';
const lockWaitMs = 10_000;
/** Only root reads a new policy: it says which users the host has. */
const newMode = 0o600;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

/** The policy, if only those whom we trust could have written it. */
export function readPolicyFile(path: string): Result<PolicyText, string> {
  return inDirectory(path, (directory) => readIn(directory, path, true));
}

/** Any file of text, whoever owns it: for what is only looked at or converted. */
export function readForeignFile(path: string): Result<PolicyText, string> {
  return inDirectory(path, (directory) => readIn(directory, path, false), 'it does not exist');
}

/** Writes `text` in place of what `original` holds, if nobody changed the file since. */
export function savePolicyFile(original: PolicyText, text: string): Result<void, string> {
  return underLock(original.path, (directory) => replace(directory, original, text));
}

/** Reads, edits and saves under one lock. An edit that changes nothing writes nothing. */
export function editPolicyFile(
  path: string,
  edit: (text: string) => Result<string, string>,
): Result<{ readonly before: string; readonly after: string }, string> {
  return underLock(path, (directory) => {
    const original = readIn(directory, path, true);
    if (!original.ok) return original;
    const before = original.value.text;
    const edited = edit(before);
    if (!edited.ok) return edited;
    const done = { before, after: edited.value };
    if (edited.value === before) return ok(done);
    const saved = replace(directory, original.value, edited.value);
    return saved.ok ? ok(done) : saved;
  });
}

/** Writes a new policy; one that exists is replaced only where `overwrite` says so. */
export function createPolicyFile(
  path: string,
  text: string,
  { overwrite = false } = {},
): Result<void, string> {
  try {
    mkdirSync(dirname(path), { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') return cannot('write', path, reasonOf(error));
  }
  return underLock(path, (directory) => {
    const there = lstatSync(directory.at(basename(path)), { throwIfNoEntry: false });
    if (there === undefined) return write(directory, path, text, newFile());
    if (!overwrite) return cannot('write', path, 'it exists already; pass --force to replace it');
    const original = readIn(directory, path, true);
    return original.ok ? replace(directory, original.value, text) : original;
  });
}

const newFile = () => ({
  mode: newMode,
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0,
});

function cannot(action: 'read' | 'write', path: string, why: string) {
  return fail(`Cannot ${action} ${quoted(path)}: ${why}`);
}

function inDirectory<T>(
  path: string,
  use: (directory: PinnedDirectory) => Result<T, string>,
  missing = nothingThere,
): Result<T, string> {
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) {
    const there = lstatSync(dirname(path), { throwIfNoEntry: false }) !== undefined;
    return cannot('read', path, there ? lowerFirst(pinned.error) : missing);
  }
  using directory = pinned.value;
  return use(directory);
}

function underLock<T>(
  path: string,
  use: (directory: PinnedDirectory) => Result<T, string>,
): Result<T, string> {
  return inDirectory(path, (directory) => {
    const problem = directoryProblem(directory);
    if (problem !== undefined) return cannot('write', path, problem);
    const name = `.${basename(path)}.lock`;
    const shownAs = `${directory.path}/${name}`;
    const locked = lockFile(directory.at(name), { waitMs: lockWaitMs, shownAs });
    if (!locked.ok) return cannot('write', path, lowerFirst(locked.error));
    using _lock = locked.value;
    try {
      removeLeftovers(directory, path);
      return use(directory);
    } catch (error) {
      return cannot('write', path, reasonOf(error));
    }
  });
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

function readIn(
  directory: PinnedDirectory,
  path: string,
  trusted: boolean,
): Result<PolicyText, string> {
  let fd: number;
  try {
    // Without O_NONBLOCK a fifo in its place would hold us for ever.
    fd = openSync(directory.at(basename(path)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return cannot('read', path, openProblem(error, trusted));
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    const problem =
      kindProblem(stat) ??
      (trusted ? (trustProblem(stat, path) ?? directoryProblem(directory)) : undefined);
    if (problem !== undefined) return cannot('read', path, problem);
    const bytes = readAtMost(fd, bytesMax + 1);
    if (bytes.length > bytesMax) return cannot('read', path, sizeProblem(bytes.length));
    const decoded = decodeXml(bytes);
    if ('error' in decoded) return cannot('read', path, utf8Problem(decoded.error));
    return ok({ path, text: decoded.text, ...ownershipOf(stat), version: versionOf(stat) });
  } catch (error) {
    return cannot('read', path, reasonOf(error));
  } finally {
    closeSync(fd);
  }
}

function openProblem(error: unknown, isPolicy: boolean): string {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' && isPolicy) return nothingThere;
  if (errno !== 'ELOOP') return reasonOf(error);
  return 'it is a symbolic link; name the file that it leads to, or put the file in its place';
}

function kindProblem(stat: BigIntStats): string | undefined {
  if (!stat.isFile()) return `it is ${kindOf(stat)}, not a file`;
  return stat.size > bytesMax ? sizeProblem(Number(stat.size)) : undefined;
}

function kindOf(stat: BigIntStats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a named pipe';
  return 'a device';
}

const sizeProblem = (bytes: number) =>
  `it has ${Math.ceil(bytes / 2 ** 20)} MiB; the limit is ${bytesMax / 2 ** 20} MiB`;

/** The decoder says what it cannot do; here that is the reason of another failure. */
const utf8Problem = (error: string) =>
  error.replace(/^Cannot read the file as UTF-8: /, 'it is not UTF-8: ');

function trustProblem(stat: BigIntStats, path: string): string | undefined {
  const uid = Number(stat.uid);
  if (!isTrusted(uid)) return `it belongs to uid ${uid}; run: chown root ${path}`;
  if (!writableByOthers({ mode: Number(stat.mode) })) return undefined;
  return `it can be written by others than its owner; run: chmod go-w ${path}`;
}

/** The size that fstat gave may have grown since. */
function readAtMost(fd: number, max: number): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < max) {
    const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, max - length));
    const got = readSync(fd, chunk, 0, chunk.length, null);
    if (got === 0) break;
    chunks.push(chunk.subarray(0, got));
    length += got;
  }
  return Buffer.concat(chunks, length);
}

const ownershipOf = (stat: BigIntStats) => ({
  mode: Number(stat.mode & 0o7777n),
  uid: Number(stat.uid),
  gid: Number(stat.gid),
});

const versionOf = (stat: BigIntStats): FileVersion => ({
  device: stat.dev,
  inode: stat.ino,
  modifiedNanoseconds: stat.mtimeNs,
  changedNanoseconds: stat.ctimeNs,
  bytes: stat.size,
});

function replace(
  directory: PinnedDirectory,
  original: PolicyText,
  text: string,
): Result<void, string> {
  return write(directory, original.path, text, original, () => isUnchanged(directory, original));
}

function isUnchanged(directory: PinnedDirectory, original: PolicyText): boolean {
  const name = directory.at(basename(original.path));
  const stat = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return false;
  const now = versionOf(stat);
  return (Object.keys(now) as (keyof FileVersion)[]).every(
    (key) => now[key] === original.version[key],
  );
}

interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function write(
  directory: PinnedDirectory,
  path: string,
  text: string,
  ownership: Ownership,
  mayReplace = () => true,
): Result<void, string> {
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) return cannot('write', path, sizeProblem(bytes));
  const temporary = directory.at(temporaryName(path));
  try {
    writeDurably(temporary, text, ownership);
    if (!mayReplace()) {
      unlinkSync(temporary);
      return cannot('write', path, 'another program changed it meanwhile; run the command again');
    }
    renameSync(temporary, directory.at(basename(path)));
  } catch (error) {
    removeIfThere(temporary);
    return cannot('write', path, reasonOf(error));
  }
  fsyncSync(directory.fd);
  return ok(undefined);
}

function writeDurably(path: string, text: string, { mode, uid, gid }: Ownership): void {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, text);
    // In this order: chown clears set-id bits, and the wrong owner never gets the final mode.
    fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** With the global `crypto`: importing node:crypto takes milliseconds, also where a policy is only read. */
const randomHex = () => crypto.getRandomValues(Buffer.alloc(8)).toString('hex');
const temporaryName = (path: string) => `.${basename(path)}.${randomHex()}.tmp`;

/** Temporary files of an editor that was killed; nobody else can be writing under the lock. */
function removeLeftovers(directory: PinnedDirectory, path: string): void {
  const start = `.${basename(path)}.`;
  for (const name of readdirSync(directory.at('.'))) {
    if (!name.startsWith(start)) continue;
    if (/^[0-9a-f]{16}\.tmp$/.test(name.slice(start.length))) removeIfThere(directory.at(name));
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
