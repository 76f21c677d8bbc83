/**
 * Lowering a tenant's memory below what it uses, without ending its processes.
 *
 * v2 ends processes when `memory.max` goes below what cannot be reclaimed, so `memory.high` goes
 * first and the kernel reclaims. v1 reclaims by itself and refuses with EBUSY. Where it is not
 * enough the old limit stays; `--force` goes on all the same.
 */
import { printBytes } from '../units/quantity.ts';
import type { WriteFile } from '../plan/plan.ts';
import { printValue } from '../plan/print.ts';
import type { CgroupFiles } from './cgroup-files.ts';
import { describeErrno, type ErrnoName } from './errno.ts';
import { endLargest, type CgroupOwner } from './processes.ts';
import { sleepSync } from './sleep.ts';

interface Target {
  readonly files: CgroupFiles;
  readonly version: 1 | 2;
  readonly driver: {
    readonly memoryInUse: (group: string) => number | undefined;
    readonly processes: (group: string) => readonly number[];
    readonly ownerOf: (group: string) => CgroupOwner;
  };
}

const reclaimRounds = 40;
const roundMilliseconds = 50;
/** As many processes as `--force` ends before it gives up. */
const mostEnded = 64;

export function lowerMemory(
  operation: WriteFile,
  target: Target,
  { force }: { readonly force: boolean },
): string | undefined {
  const error =
    target.version === 2 ? lower2(operation, target, force) : lower1(operation, target, force);
  if (error === undefined || error === 'ENODEV') return undefined;
  const value = printValue(operation.file, operation.to);
  const used = target.driver.memoryInUse(operation.group) ?? 0;
  const why =
    error === 'EBUSY'
      ? `${printBytes(roundedMiB(used))} are in use and cannot be reclaimed; raise the limit, or pass --force to end processes of the tenant`
      : describeErrno(error);
  return `Cannot set ${operation.file} of ${operation.label} to "${value}": ${why}`;
}

const roundedMiB = (bytes: number) => Math.ceil(bytes / 2 ** 20) * 2 ** 20;

function lower2(operation: WriteFile, target: Target, force: boolean): ErrnoName | undefined {
  const { group, file, text } = operation;
  const { files, driver } = target;
  const most = Number(text);
  if ((driver.memoryInUse(group) ?? 0) > most && !force && !reclaim(target, group, most))
    return 'EBUSY';
  return files.write(group, file, text);
}

/** The soft limit does the work; it is put back whatever comes of it. */
function reclaim({ files, driver }: Target, group: string, most: number): boolean {
  const before = files.read(group, 'memory.high')?.trim() ?? 'max';
  files.write(group, 'memory.high', String(most));
  try {
    for (let round = 0; round < reclaimRounds; round++) {
      const used = driver.memoryInUse(group) ?? 0;
      if (used <= most) return true;
      files.write(group, 'memory.reclaim', String(used - most));
      if ((driver.memoryInUse(group) ?? 0) <= most) return true;
      sleepSync(roundMilliseconds);
    }
    return false;
  } finally {
    files.write(group, 'memory.high', before);
  }
}

function lower1(
  { group, file, text }: WriteFile,
  target: Target,
  force: boolean,
): ErrnoName | undefined {
  for (let ended = 0; ; ended++) {
    const error = target.files.write(group, file, text);
    if (error !== 'EBUSY' || !force || ended === mostEnded) return error;
    const { driver } = target;
    if (!endLargest(driver.ownerOf(group), () => driver.processes(group))) return error;
    sleepSync(roundMilliseconds);
  }
}
