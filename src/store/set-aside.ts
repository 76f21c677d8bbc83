/**
 * Sets aside a database that cannot be used. It is not deleted but renamed, together with its write-ahead log, so that
 * it can be examined. Only the last three are kept, and at most 1 GiB of all but the last.
 *
 *     metrics.db.damaged-20270114T100359123Z       metrics.db.version-7
 *     metrics.db.damaged-20270114T100359123Z-wal   metrics.db.version-7-wal
 */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../packages/base/io/errno.ts';

const keptMax = 3;
const keptBytesMax = 2 ** 30;
const companions = ['-wal', '-shm'];

export type SetAsideReason = 'damaged' | `version-${number}`;

/** Renames the database; returns the new name. */
export function setAside(
  directory: string,
  name: string,
  mark: SetAsideReason,
  now: number,
): Result<string, Cause> {
  const suffix = mark === 'damaged' ? `damaged-${stamp(now)}` : mark;
  const aside = `${name}.${suffix}`;
  try {
    removeWhole(directory, aside);
    // The log first: a log without its database is ignored, a database without its log is outdated.
    for (const companion of companions) {
      renameIfThere(`${directory}/${name}${companion}`, `${directory}/${aside}${companion}`);
    }
    renameIfThere(`${directory}/${name}`, `${directory}/${aside}`);
    keepLast(directory, name, aside);
    return ok(aside);
  } catch (error) {
    return fail(causeOf(error));
  }
}

const stamp = (now: number) => new Date(now).toISOString().replaceAll(/[-:.]/g, '');

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeWhole(directory: string, name: string): void {
  for (const companion of ['', ...companions]) {
    rmSync(`${directory}/${name}${companion}`, { force: true });
  }
}

function keepLast(directory: string, name: string, newest: string): void {
  const others = asideNames(directory, name)
    .filter((each) => each !== newest)
    .map((each) => ({ each, stat: statSync(`${directory}/${each}`) }))
    .toSorted((a, b) => b.stat.ctimeMs - a.stat.ctimeMs);
  let bytes = 0;
  for (const [index, { each, stat }] of others.entries()) {
    bytes += stat.size;
    if (index >= keptMax - 1 || bytes > keptBytesMax) removeWhole(directory, each);
  }
}

function asideNames(directory: string, name: string): readonly string[] {
  const marks = ['.damaged-', '.version-'].map((mark) => `${name}${mark}`);
  return readdirSync(directory).filter(
    (each) =>
      marks.some((mark) => each.startsWith(mark)) &&
      !companions.some((companion) => each.endsWith(companion)),
  );
}
