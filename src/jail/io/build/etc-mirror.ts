/**
 * Copies the parts of /etc that programs read, and keeps them up to date file by file: all jails see the same
 * directory. Only files that everyone may read are copied. /etc belongs to root, so only the administrator
 * changes it meanwhile.
 */
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isAt } from '../../../policy/jail.ts';
import { accountFiles, emptyFiles, etcExcept, etcNames } from '../../core/layout.ts';

const fileBytesMax = 16 * 2 ** 20;
const depthMax = 12;

/** Updates the copies. Throws Node's errors. */
export function mirrorEtc(etc: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 });
  const wanted = new Set<string>([...accountFiles, ...emptyFiles, 'mtab']);
  for (const name of etcNames) {
    if (mirror(join(etc, name), join(to, name), etc, 0)) wanted.add(name);
  }
  const above = new Set([...wanted].flatMap((name) => (name.includes('/') ? [dirname(name)] : [])));
  removeOthers(to, new Set([...wanted, ...above].map((name) => name.split('/')[0] ?? '')));
  for (const each of above) {
    removeOthers(join(to, each), new Set([...wanted].map((name) => relative(each, name))));
  }
  for (const name of accountFiles) linkTo(`../.bulkhead/${name}`, join(to, name));
  for (const name of emptyFiles) writeFileSync(join(to, name), '', { mode: 0o600, flag: 'a' });
  linkTo('../proc/self/mounts', join(to, 'mtab'));
}

/** Copies `from` to `to`, and returns whether something is there that may be seen. */
function mirror(from: string, to: string, etc: string, depth: number): boolean {
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (stat === undefined || depth > depthMax) return false;
  if (depth === 0) mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  if (stat.isDirectory()) return mirrorDirectory(from, to, etc, depth);
  if (stat.isFile()) return mirrorFile(from, to, stat);
  return stat.isSymbolicLink() && mirrorLink(from, to, etc);
}

function mirrorDirectory(from: string, to: string, etc: string, depth: number): boolean {
  if ((statSync(from).mode & 0o005) !== 0o005) return false;
  if (lstatSync(to, { throwIfNoEntry: false })?.isDirectory() !== true) {
    rmSync(to, { force: true });
    mkdirSync(to, { mode: 0o755 });
  }
  const names = readdirSync(from).filter((name) => !etcExcept.has(name));
  const kept = names.filter((name) => mirror(join(from, name), join(to, name), etc, depth + 1));
  removeOthers(to, new Set(kept));
  return true;
}

function mirrorFile(from: string, to: string, stat: Stats): boolean {
  if ((stat.mode & 0o004) === 0 || stat.size > fileBytesMax) return false;
  const there = lstatSync(to, { throwIfNoEntry: false });
  const same =
    there?.isFile() === true &&
    there.size === stat.size &&
    Math.trunc(there.mtimeMs) === Math.trunc(stat.mtimeMs);
  if (same) return true;
  if (there?.isDirectory() === true) rmSync(to, { recursive: true });
  const fresh = `${to}.bulkhead-new`;
  copyFileSync(from, fresh);
  chmodSync(fresh, stat.mode & 0o755);
  utimesSync(fresh, stat.atime, stat.mtime);
  renameSync(fresh, to);
  return true;
}

/** Copies a link. If its target is not visible inside, as with resolv.conf into /run, the link becomes a file. */
function mirrorLink(from: string, to: string, etc: string): boolean {
  let target: string;
  try {
    target = realpathSync(from);
  } catch {
    return false;
  }
  if (isAt(target, '/usr') || (isAt(target, etc) && isMirrored(target, etc))) {
    linkTo(readlinkSync(from), to);
    return true;
  }
  const stat = statSync(target);
  return stat.isFile() && mirrorFile(target, to, stat);
}

const isMirrored = (target: string, etc: string) =>
  etcNames.some((name) => isAt(target, join(etc, name)));

function linkTo(target: string, path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() === true && readlinkSync(path) === target) return;
  const fresh = `${path}.bulkhead-new`;
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  if (there?.isDirectory() === true) rmSync(path, { recursive: true });
  renameSync(fresh, path);
}

function removeOthers(directory: string, wanted: ReadonlySet<string>): void {
  for (const name of readdirSync(directory)) {
    if (!wanted.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}
