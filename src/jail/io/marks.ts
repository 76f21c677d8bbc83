/** The files that the launcher reads of tenants' jails. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { commandsOf, type Jail } from '../../policy/jail.ts';
import { causeOf } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { pinDirectory } from '../../sys/files/pinned-directory.ts';
import { replaceIn } from '../../sys/files/replace-file.ts';
import { parseMark, printMark, type Mark } from '../core/mark.ts';
import type { JailPaths } from './jail-paths.ts';

/** Their directory. */
export function ensureMarks({ base, tenants }: JailPaths): Result<void, Problem> {
  try {
    mkdirSync(dirname(base), { recursive: true, mode: 0o755 });
    mkdirSync(base, { recursive: true, mode: 0o700 });
    mkdirSync(tenants, { recursive: true, mode: 0o700 });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'create the directory', object: tenants, ...causeOf(error) });
  }
}

export function readMark(paths: JailPaths, uid: number): Mark | undefined {
  const text = readText(`${paths.tenants}/${uid}`);
  return text === undefined ? undefined : parseMark(text);
}

/** By uid. */
export function readMarks(paths: JailPaths): ReadonlyMap<number, Mark> {
  let names: readonly string[];
  try {
    names = readdirSync(paths.tenants);
  } catch {
    return new Map();
  }
  return new Map(
    names
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const mark = readMark(paths, Number(name));
        return mark === undefined ? [] : [[Number(name), mark] as const];
      }),
  );
}

export function writeMark(paths: JailPaths, uid: number, mark: Mark): Result<void, Problem> {
  const pinned = pinDirectory(paths.tenants, 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  return replaceIn(directory, `${uid}`, printMark(mark), { mode: 0o600, withoutSync: true });
}

export const removeMark = (paths: JailPaths, uid: number): void =>
  rmSync(`${paths.tenants}/${uid}`, { force: true });

/**
 * For those that have none yet: from now on the launcher starts nothing of them outside, whatever becomes of whoever builds
 * their jails.
 */
export function announce(
  paths: JailPaths,
  tenants: readonly { readonly uid: number; readonly jail: Jail }[],
): Result<void, Problem> {
  if (tenants.length === 0) return ok(undefined);
  const made = ensureMarks(paths);
  if (!made.ok) return made;
  const known = readMarks(paths);
  for (const { uid, jail } of tenants) {
    if (known.has(uid)) continue;
    const { profile } = jail;
    const commands = commandsOf(jail);
    const mark: Mark = {
      profile,
      state: 'waiting',
      filter: false,
      landlock: false,
      commands,
      earlier: [],
      print: '',
    };
    const written = writeMark(paths, uid, mark);
    if (!written.ok) return written;
  }
  return ok(undefined);
}
