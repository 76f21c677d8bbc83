/**
 * Lowers a tenant's memory limit below its usage, without killing its processes.
 *
 * v2 kills processes if `memory.max` is set below what cannot be reclaimed, so `memory.high` is set first and the
 * kernel reclaims. v1 reclaims automatically and refuses with EBUSY. If that is not enough, the old limit stays;
 * `--force` continues anyway.
 */
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { formatBytes } from '../../../packages/base/quantity.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { WriteFile } from '../../plan/operations.ts';
import { formatValue } from '../../plan/format.ts';
import type { CgroupFiles } from './cgroup-files.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import { killLargest, type CgroupOwner } from '../kill-processes.ts';
import { sleepSync } from '../../sys/sleep.ts';

interface Target {
  readonly files: CgroupFiles;
  readonly version: 1 | 2;
  readonly driver: {
    readonly memoryInUse: (cgroup: string) => number | undefined;
    readonly processes: (cgroup: string) => readonly number[];
    readonly ownerOf: (cgroup: string) => CgroupOwner;
  };
}

const reclaimRounds = 40;
const roundMilliseconds = 50;
/** The number of processes that `--force` kills before it fails. */
const killedMax = 64;

export function lowerMemory(
  operation: WriteFile,
  target: Target,
  { force }: { readonly force: boolean },
): Result<void, Problem> {
  const lowered =
    target.version === 2 ? lower2(operation, target, force) : lower1(operation, target, force);
  if (lowered.ok || lowered.error === 'ENODEV') return ok(undefined);
  return notLowered(operation, target, lowered.error);
}

/** Checks, before another writes the limit, that it can be lowered, and reclaims memory if needed. Used only on v2. */
export function spareMemory(
  operation: WriteFile,
  target: Target,
  { force }: { readonly force: boolean },
): Result<void, Problem> {
  const { cgroup, to } = operation;
  const max = Number(to);
  const isFree = () => (target.driver.memoryInUse(cgroup) ?? 0) <= max;
  if (force || isFree() || reclaim(target, cgroup, max)) return ok(undefined);
  return notLowered(operation, target, 'EBUSY');
}

function notLowered(operation: WriteFile, target: Target, error: Errno): Result<never, Problem> {
  const what = {
    action: `set ${operation.file} of ${operation.label} to`,
    object: formatValue(operation.file, operation.to),
  };
  if (error !== 'EBUSY') return failed({ ...what, ...errnoCause(error) });
  const used = target.driver.memoryInUse(operation.cgroup) ?? 0;
  return failed({
    ...what,
    reason: `${formatBytes(roundedMiB(used))} are in use and cannot be reclaimed`,
    hint: 'raise the limit, or pass --force to kill processes of the tenant',
    errno: 'EBUSY',
  });
}

const roundedMiB = (bytes: number) => Math.ceil(bytes / 2 ** 20) * 2 ** 20;

function lower2(operation: WriteFile, target: Target, force: boolean): Result<void, Errno> {
  const { cgroup, file, text } = operation;
  const { files, driver } = target;
  const max = Number(text);
  if ((driver.memoryInUse(cgroup) ?? 0) > max && !force && !reclaim(target, cgroup, max))
    return fail('EBUSY');
  return files.write(cgroup, file, text);
}

/** Reclaims memory by lowering the soft limit, which is restored in any case. */
function reclaim({ files, driver }: Target, cgroup: string, max: number): boolean {
  const before = files.read(cgroup, 'memory.high')?.trim() ?? 'max';
  files.write(cgroup, 'memory.high', String(max));
  try {
    for (let round = 0; round < reclaimRounds; round++) {
      const used = driver.memoryInUse(cgroup) ?? 0;
      if (used <= max) return true;
      files.write(cgroup, 'memory.reclaim', String(used - max));
      if ((driver.memoryInUse(cgroup) ?? 0) <= max) return true;
      sleepSync(roundMilliseconds);
    }
    return false;
  } finally {
    files.write(cgroup, 'memory.high', before);
  }
}

function lower1(
  { cgroup, file, text }: WriteFile,
  target: Target,
  force: boolean,
): Result<void, Errno> {
  for (let killed = 0; ; killed++) {
    const written = target.files.write(cgroup, file, text);
    if (written.ok || written.error !== 'EBUSY' || !force || killed === killedMax) return written;
    const { driver } = target;
    if (!killLargest(driver.ownerOf(cgroup), () => driver.processes(cgroup))) return written;
    sleepSync(roundMilliseconds);
  }
}
