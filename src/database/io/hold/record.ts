/**
 * The record of cgroups that are frozen, or may be. A cgroup is in it before it is frozen, so that whoever comes after a
 * killed agent thaws all of them: the watchdog (`entry/thaw.c`), the next agent, `apply` and `release`.
 *
 *     /run/bulkhead/database-frozen
 *     /sys/fs/cgroup/bulkhead/u1001/s-shop.example/cgroup.freeze
 *     /sys/fs/cgroup/bulkhead/u1002/cgroup.freeze <TAB> /var/lib/bulkhead/stopped/1002
 *
 * A cgroup with a second path is also what `bulkhead stop --freeze` freezes: it stays frozen while that file says so.
 */
import { closeSync, constants, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../../host/paths.ts';
import { parseStop } from '../../../host/stops.ts';

/** A cgroup by the kernel's file that freezes it: `cgroup.freeze` on v2, `freezer.state` on v1. */
export interface FreezeFile {
  readonly path: string;
  /** The record of a stop that freezes the same cgroup. */
  readonly stop?: string;
}

export const recordFile = ({ runtime }: Pick<Paths, 'runtime'>): string =>
  `${runtime}/database-frozen`;

/** More are not frozen at a time. */
export const recordedMax = 4_000;
const pathPattern = /^\/[^\t\n]+\/(?:cgroup\.freeze|freezer\.state)$/;

export function readRecord(paths: Pick<Paths, 'runtime'>): readonly FreezeFile[] {
  const lines = (readText(recordFile(paths)) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [path = '', stop] = line.split('\t');
    if (!pathPattern.test(path)) return [];
    return [stop === undefined ? { path } : { path, stop }];
  });
}

/** Returns each cgroup once: every search describes it anew. */
export const distinct = (files: readonly FreezeFile[]): readonly FreezeFile[] => [
  ...new Map(files.map((each) => [each.path, each])).values(),
];

/** Replaces the record; a crash of the host thaws everything anyway. */
export const writeRecord = (
  paths: Pick<Paths, 'runtime'>,
  files: readonly FreezeFile[],
): Result<void, Problem> =>
  replaceStateFile(
    recordFile(paths),
    files.map(({ path, stop }) => `${path}${stop === undefined ? '' : `\t${stop}`}\n`).join(''),
  );

const isV2 = (path: string) => path.endsWith('/cgroup.freeze');

/**
 * Freezes a cgroup, which is in the record already. Returns whether it is there.
 *
 * With v1 its state may stay FREEZING, and never become FROZEN: a process that calls vfork() at that moment waits for its
 * child, which is frozen, and is not itself. Nothing in the cgroup runs all the same, and nobody may wait for FROZEN
 * without writing it again.
 */
export const freeze = ({ path }: FreezeFile): Result<boolean, Problem> =>
  write(path, isV2(path) ? '1' : 'FROZEN', 'freeze');

/** Thaws a cgroup, unless the tenant was stopped and is to stay frozen. */
export function thaw({ path, stop }: FreezeFile): Result<void, Problem> {
  if (keepsFrozen(stop)) return ok(undefined);
  const thawed = write(path, isV2(path) ? '0' : 'THAWED', 'thaw');
  if (!thawed.ok) return thawed;
  // It was stopped meanwhile.
  const again = keepsFrozen(stop) ? freeze({ path }) : thawed;
  return again.ok ? ok(undefined) : again;
}

const keepsFrozen = (stop: string | undefined) =>
  stop !== undefined && parseStop(0, readText(stop) ?? '').frozen;

/** A cgroup that has gone is nothing to freeze or thaw. */
function write(path: string, text: string, action: string): Result<boolean, Problem> {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      writeSync(fd, text);
      return ok(true);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes(errnoOf(error))) return ok(false);
    return failed({ action, object: dirname(path), ...causeOf(error) });
  }
}

/** Whether the cgroup itself is to be frozen, apart from those above it. */
export function isFrozen({ path }: FreezeFile): boolean {
  const file = isV2(path) ? path : `${dirname(path)}/freezer.self_freezing`;
  return readText(file)?.trim() === '1';
}

/** Returns the recorded cgroups that are frozen now, and not by a stop. */
export const frozenOf = (paths: Pick<Paths, 'runtime'>): readonly string[] =>
  readRecord(paths)
    .filter((each) => isFrozen(each) && !keepsFrozen(each.stop))
    .map(({ path }) => dirname(path));

/** Thaws all that is recorded. */
export const thawAll = (paths: Pick<Paths, 'runtime'>): readonly Problem[] =>
  readRecord(paths).flatMap((each) => {
    const thawed = thaw(each);
    return thawed.ok ? [] : [thawed.error];
  });

/** Thaws all that is recorded, and removes the record if all of it is thawed. */
export function thawRecorded(paths: Pick<Paths, 'runtime'>): readonly Problem[] {
  const problems = thawAll(paths);
  if (problems.length === 0 && existsSync(recordFile(paths)))
    rmSync(recordFile(paths), { force: true });
  return problems;
}
