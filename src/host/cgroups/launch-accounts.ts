/**
 * Tenants' accounts for the PAM step, so that it need not start getent: `/run/bulkhead/accounts/`.
 *
 *     alice            alice::1001:1001::/home/alice:/bin/bash   passwd(5), without password and comment
 *     1001             the same, for callers that give a uid
 *     .passwd          the inode of /etc/passwd, and in its own mtime the mtime of /etc/passwd
 *     .nsswitch.conf   the same for /etc/nsswitch.conf
 *     .later           its mtime is a nanosecond after .passwd's: a shell that does not see that
 *                      cannot compare
 *     .lines           all lines, to see what has changed
 *
 * The PAM step uses a line only while inode and mtime of both files are the recorded ones, and asks getent otherwise.
 * It compares before it reads the line. This code removes the records before it changes the first line, and writes them
 * after the last. So a line is never older than the /etc/passwd that the PAM step saw.
 *
 * Nothing is written if getent could answer differently: if a service comes before /etc/passwd, or a line is not plain.
 * Supplementary groups are not recorded: setpriv looks them up each time.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { sleepSync } from '../../sys/sleep.ts';
import { setModified } from '../../sys/syscalls.ts';

/** Lines by account key: its name or its uid. */
type Lines = ReadonlyMap<string, string>;

interface Source {
  readonly text: string;
  /** Empty if the kernel does not report it (before Linux 5.14). */
  readonly inode: string;
  readonly mtimeNs: bigint;
}

const recorded = ['passwd', 'nsswitch.conf'] as const;
const allLines = '.lines';
const later = '.later';

/** Publishes the accounts. After a failure, the PAM step uses getent. */
export function publishAccounts(paths: Paths, tenants: ReadonlySet<number>): Result<void, Problem> {
  const directory = `${paths.runtime}/accounts`;
  try {
    const sources = readSources(paths);
    const accounts = sources && readAccounts(sources);
    if (sources === undefined || accounts === undefined) withdrawAccounts(paths.runtime);
    else publish(directory, sources, linesOf(accounts, tenants));
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'write', object: directory, ...causeOf(error) });
  }
}

export function withdrawAccounts(runtime: string): void {
  rmSync(`${runtime}/accounts`, { recursive: true, force: true });
}

// --- Reading ----------------------------------------------------------------------------------------

type Sources = Readonly<Record<(typeof recorded)[number], Source>>;

function readSources({ etc, proc }: Paths): Sources | undefined {
  const nsswitch = readSource(`${etc}/nsswitch.conf`, proc);
  const passwd = nsswitch && readSource(`${etc}/passwd`, proc);
  return passwd && { passwd, 'nsswitch.conf': nsswitch };
}

/** Returns undefined if a later change could have the same mtime. */
function readSource(path: string, proc: string): Source | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    // The mtime first: a file that changes while it is read then has another one.
    const { mtimeNs } = fstatSync(fd, { bigint: true });
    if (!waitUntilSettled(mtimeNs)) return undefined;
    const inode = /^ino:\s*(\d+)$/m.exec(readText(`${proc}/self/fdinfo/${fd}`) ?? '')?.[1] ?? '';
    // Byte for byte: a home need not be UTF-8.
    return { text: readFileSync(fd, 'latin1'), inode, mtimeNs };
  } finally {
    closeSync(fd);
  }
}

const millisecondNs = 1_000_000n;
const secondNs = 1_000n * millisecondNs;

/** The kernel takes the time of a change from a clock that ticks every 10 ms or more often. */
const tickMilliseconds = 20;
/** Some file systems store only whole seconds. */
const wholeSecondsMilliseconds = 2_000;

/** Waits until the next change cannot get the same mtime; does not wait for a time in the future. */
function waitUntilSettled(mtimeNs: bigint): boolean {
  const settle = mtimeNs % secondNs === 0n ? wholeSecondsMilliseconds : tickMilliseconds;
  const age = Date.now() - Number(mtimeNs / millisecondNs);
  if (age < 0) return false;
  if (age < settle) sleepSync(settle - age);
  return true;
}

// --- Lines ------------------------------------------------------------------------------------------

interface Account {
  readonly name: string;
  readonly uid: string;
  readonly line: string;
}

/** Name, uid, gid, home and shell. */
const plainLine =
  /^([^:\s+-][^:]*):[^:]*:(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,9}):[^:]*:([^:]*):([^:]*)$/;
const uidMax = 0xffff_ffff;
/** A name that can be a file's, and that getent does not take for a uid. */
const plainName = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/;
// oxlint-disable-next-line no-control-regex -- read and $(getent) could differ in them
const oddCharacters = /[\0-\x1f\x7f]|\s$/;

/**
 * Returns undefined if getent may print something other than /etc/passwd contains. We do not guess how glibc reads a
 * line that is not plain, or whether it hides a later one.
 */
function readAccounts({
  passwd,
  'nsswitch.conf': nsswitch,
}: Sources): readonly Account[] | undefined {
  if (!asksFilesFirst(nsswitch.text)) return undefined;
  const lines = passwd.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const accounts = lines.map(parseLine).filter((account) => account !== undefined);
  return accounts.length === lines.length ? accounts : undefined;
}

/** Whether the file is asked first: `passwd: files systemd`. Its answer then counts, whatever comes after. */
function asksFilesFirst(nsswitch: string): boolean {
  const rules = nsswitch.split('\n').filter((line) => /^\s*passwd\b/.test(line));
  return rules.length === 1 && /^passwd:\s*files\s*(?:#|$|\s[a-z])/.test(rules[0] ?? '');
}

function parseLine(text: string): Account | undefined {
  const [, name, uid, gid, home, shell] = plainLine.exec(text) ?? [];
  if (name === undefined || uid === undefined) return undefined;
  if (Number(uid) > uidMax || Number(gid) > uidMax) return undefined;
  return { name, uid, line: `${name}::${uid}:${gid}::${home}:${shell}` };
}

/**
 * Returns the published lines. If several accounts have one name or uid, the first counts, whether it is a tenant's or
 * not.
 */
function linesOf(accounts: readonly Account[], tenants: ReadonlySet<number>): Lines {
  const first = new Map<string, Account>();
  for (const account of accounts) {
    for (const key of keysOf(account)) if (!first.has(key)) first.set(key, account);
  }
  return new Map(
    [...first].flatMap(([key, { name, uid, line }]) =>
      tenants.has(Number(uid)) && plainName.test(name) && !oddCharacters.test(line)
        ? [[key, line] as const]
        : [],
    ),
  );
}

const keysOf = ({ name, uid }: Account) => (plainName.test(name) ? [name, uid] : [uid]);

// --- Writing ----------------------------------------------------------------------------------------

function publish(directory: string, sources: Sources, lines: Lines): void {
  const text = [...lines].map(([key, line]) => `${key} ${line}\n`).join('');
  const before = readBytes(`${directory}/${allLines}`);
  const isCurrent = recorded.every((name) => isRecorded(`${directory}/.${name}`, sources[name]));
  if (before === text && isCurrent) return;
  // If this file is missing, an earlier run was interrupted, and the contents are unknown.
  if (before === undefined) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of recorded) remove(`${directory}/.${name}`);
  for (const name of [later, allLines]) remove(`${directory}/${name}`);
  replaceLines(directory, parseLines(before ?? ''), lines);
  write(`${directory}/${allLines}`, text);
  write(`${directory}/${later}`, '');
  setModified(`${directory}/${later}`, sources.passwd.mtimeNs + 1n);
  for (const name of recorded) record(`${directory}/.${name}`, sources[name]);
}

const parseLines = (text: string): Lines =>
  new Map(
    text
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => {
        const space = each.indexOf(' ');
        return [each.slice(0, space), each.slice(space + 1)] as const;
      }),
  );

function replaceLines(directory: string, before: Lines, after: Lines): void {
  for (const [key, line] of before) {
    if (after.get(key) !== line) remove(`${directory}/${key}`);
  }
  const written = new Map<string, string>();
  for (const [key, line] of after) {
    if (before.get(key) === line) continue;
    const path = `${directory}/${key}`;
    const same = written.get(line);
    // By name and by uid: one file, since creating files is the slow part here.
    if (same === undefined) write(path, `${line}\n`);
    else linkSync(same, path);
    written.set(line, path);
  }
}

const recordOf = ({ inode }: Source) => `${inode}\n`;

function isRecorded(path: string, source: Source): boolean {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.mtimeNs === source.mtimeNs && readBytes(path) === recordOf(source);
}

function record(path: string, source: Source): void {
  write(path, recordOf(source));
  setModified(path, source.mtimeNs);
}

/** Writes a new file, not over the old one: whoever has the old one open reads it to its end. */
function write(path: string, text: string): void {
  writeFileSync(path, text, { encoding: 'latin1', flag: 'wx', mode: 0o600 });
}

const remove = (path: string) => rmSync(path, { force: true });

function readBytes(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
}
