/**
 * The record of CPU limits that the agent lowers, since the CPU time of database servers counts toward them. A file of a
 * cgroup is in it before it is lowered, with the text that restores it, so that whoever comes after a killed agent
 * restores all of them: the watchdog (`entry/thaw.c`), the next agent, and `release`. `apply` sets all limits anyway.
 *
 *     /run/bulkhead/database-quotas
 *     /sys/fs/cgroup/bulkhead/u1001/cpu.max <TAB> 100000 100000 <TAB> 1001
 *
 * The lines are in the order in which they may be written: quotas before bursts, and cgroups before those in them.
 */
import { closeSync, constants, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { periodMicroseconds } from '../../limits/cpu.ts';
import { cpuMicroseconds } from '../../limits/lowered-cpu.ts';
import type { Paths } from '../paths.ts';

export interface LoweredFile {
  /** The file in the kernel. */
  readonly path: string;
  /** The text that restores it. */
  readonly text: string;
  /** The uid of the tenant or the reseller. */
  readonly uid: number;
}

type RuntimePath = Pick<Paths, 'runtime'>;

export const loweredFile = ({ runtime }: RuntimePath): string => `${runtime}/database-quotas`;

const linePattern =
  /^(\/[^\t\n]+\/(?:cpu\.max(?:\.burst)?|cpu\.cfs_(?:quota|burst)_us))\t(max|-?\d+(?: \d+)?)\t(\d+)$/;

export function readLowered(paths: RuntimePath): readonly LoweredFile[] {
  const lines = (readText(loweredFile(paths)) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, path, text, uid] = linePattern.exec(line) ?? [];
    return path === undefined || text === undefined ? [] : [{ path, text, uid: Number(uid) }];
  });
}

export const writeLowered = (
  paths: RuntimePath,
  files: readonly LoweredFile[],
): Result<void, Problem> =>
  replaceStateFile(
    loweredFile(paths),
    files.map(({ path, text, uid }) => `${path}\t${text}\t${uid}\n`).join(''),
  );

/** Restores all that is recorded. */
export function restoreLowered(paths: RuntimePath): readonly Problem[] {
  return readLowered(paths).flatMap(({ path, text }) => {
    const written = writeFile(path, text);
    return written.ok ? [] : [written.error];
  });
}

/** Restores all that is recorded, and removes the record if all of it is restored. */
export function restoreAndForget(paths: RuntimePath): readonly Problem[] {
  const problems = restoreLowered(paths);
  if (problems.length === 0) forgetLowered(paths);
  return problems;
}

export function forgetLowered(paths: RuntimePath): void {
  if (existsSync(loweredFile(paths))) rmSync(loweredFile(paths), { force: true });
}

/** A cgroup that has gone has no limit. */
function writeFile(path: string, text: string): Result<void, Problem> {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!['ENOENT', 'ENODEV'].includes(errnoOf(error)))
      return failed({
        action: `restore ${basename(path)}`,
        object: dirname(path),
        ...causeOf(error),
      });
  }
  return ok(undefined);
}

/** Returns the CPU limit that is in force for a tenant now, in cores, if it is lowered; undefined if not. */
export function loweredCpuOf(paths: RuntimePath, uid: number): number | undefined {
  const found = readLowered(paths).find(
    (each) => each.uid === uid && /(?<!\/r\d{1,10})\/cpu\.(?:max|cfs_quota_us)$/.test(each.path),
  );
  if (found === undefined) return undefined;
  const now = cpuMicroseconds(readText(found.path) ?? '');
  const isLower = now > 0 && now < cpuMicroseconds(found.text);
  return isLower ? now / periodMicroseconds : undefined;
}
