/**
 * A cgroup that bounds all processes of one program together: limits on each process, times their number, would exceed
 * the host. No process of the program outlives it.
 *
 *   /sys/fs/cgroup/memory/bulkhead-jail-4711-88231-0        (and pids, cpu; version 2: one for all)
 *
 * Its name has the pid and start time of the process that made it, so that the next run recognizes a killed run's
 * leftovers. It is next to the tenants' tree, which stays untouched and need not exist.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { reasonOf } from '../../../packages/base/io/errno.ts';
import { findHierarchies1, findUnified } from './hierarchies.ts';
import { pathsOf } from '../paths.ts';
import { openProcess } from '../../sys/processes/pidfd.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { sleepSync } from '../../sys/sleep.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface ScratchBounds {
  /** The memory limit; at most half of the host's memory. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** A low share of the CPU, and never all processors. */
  readonly isBackground?: boolean;
}

export interface ScratchCgroup extends Disposable {
  /** Files that move a process: one that writes 0 to each is inside, with everything that it starts. */
  readonly procsFiles: readonly string[];
  /** Sends SIGKILL to all processes inside. */
  readonly kill: () => void;
}

/** Its use: a build of a kernel module, or the check of a configuration. */
export type ScratchPurpose = 'jail' | 'check';

const namePattern = /^bulkhead-(?:jail|check)-(\d+)-(\d+)-\d+$/;
type Controller = 'memory' | 'pids' | 'cpu';
const controllersOf = ({ isBackground }: ScratchBounds): readonly Controller[] =>
  isBackground === true ? ['memory', 'pids', 'cpu'] : ['memory', 'pids'];

/** A hierarchy's mount point, and the controllers that can set bounds in it. */
interface Place {
  readonly mountPoint: string;
  readonly controllers: readonly Controller[];
  readonly version: 1 | 2;
}

/** No such program is worth half of the host. */
const memoryShare = 0.5;
/** The CPU weights that match nice 10, which itself has no effect across cgroups. */
const lowWeight = { 1: '110', 2: '10' } as const;
const periodMicroseconds = 100_000;

let made = 0;

/** Makes the cgroup. Disposing of it removes it, with the processes left in it. */
export function makeScratchCgroup(
  purpose: ScratchPurpose,
  bounds: ScratchBounds,
): Result<ScratchCgroup, Cause> {
  if (process.getuid?.() !== 0) return fail({ reason: 'only root can make a cgroup' });
  const places = findPlaces(controllersOf(bounds));
  if (!places.ok) return places;
  for (const place of places.value) removeOrphans(place);
  const name = `bulkhead-${purpose}-${process.pid}-${beginningOf(process.pid) ?? 0}-${made++}`;
  const directories = places.value.map((place) => `${place.mountPoint}/${name}`);
  try {
    for (const [index, place] of places.value.entries())
      make(directories[index] ?? '', place, bounds);
  } catch (error) {
    remove(directories);
    return fail({ reason: reasonOf(error) });
  }
  return ok({
    procsFiles: directories.map((directory) => `${directory}/cgroup.procs`),
    kill: () => killAll(directories),
    [Symbol.dispose]: () => remove(directories),
  });
}

function findPlaces(wanted: readonly Controller[]): Result<readonly Place[], Cause> {
  const paths = pathsOf();
  const unified = findUnified(paths);
  const found = findHierarchies1(paths).flatMap(({ controllers, mountPoint }): Place[] => {
    const here = wanted.filter((each) => controllers.has(each));
    return here.length === 0 ? [] : [{ mountPoint, controllers: here, version: 1 }];
  });
  const here = wanted.filter((each) => unified?.controllers.has(each));
  if (unified !== undefined && here.length > 0) {
    found.push({ mountPoint: unified.mountPoint, controllers: here, version: 2 });
  }
  const missing = wanted.filter((each) => !found.some((place) => place.controllers.includes(each)));
  return missing.includes('memory') || missing.includes('pids')
    ? fail({ reason: `this host has no usable cgroup controller "${missing.join('", "')}"` })
    : ok(found);
}

/** Makes the cgroup. Throws the kernel's error. */
function make(
  directory: string,
  { controllers, mountPoint, version }: Place,
  bounds: ScratchBounds,
) {
  // Already so on every host with systemd; in a container whose processes are at the top it is
  // refused.
  if (version === 2) {
    const text = controllers.map((each) => `+${each}`).join(' ');
    writeFileSync(`${mountPoint}/cgroup.subtree_control`, text);
  }
  mkdirSync(directory);
  for (const controller of controllers) {
    for (const [file, text] of Object.entries(valuesOf(bounds)[version][controller])) {
      if (existsSync(`${directory}/${file}`)) writeFileSync(`${directory}/${file}`, text);
      else if (needed.has(file)) throw new Error(`the kernel has no ${file}`);
    }
  }
}

/** Kernels can be built without the others: swap accounting, CPU bandwidth. */
const needed = new Set(['memory.max', 'memory.limit_in_bytes', 'pids.max']);

type Files = Readonly<Record<string, string>>;

/** Returns the values in the order in which they must be written. */
function valuesOf(bounds: ScratchBounds): Readonly<Record<1 | 2, Record<Controller, Files>>> {
  const memory = String(Math.min(bounds.memoryBytes, Math.floor(totalmem() * memoryShare)));
  const pids = { 'pids.max': String(bounds.processes) };
  const quota = Math.max(1, availableParallelism() - 1) * periodMicroseconds;
  return {
    1: {
      memory: { 'memory.limit_in_bytes': memory, 'memory.memsw.limit_in_bytes': memory },
      pids,
      cpu: {
        'cpu.shares': lowWeight[1],
        'cpu.cfs_period_us': String(periodMicroseconds),
        'cpu.cfs_quota_us': String(quota),
      },
    },
    2: {
      memory: { 'memory.max': memory, 'memory.swap.max': '0' },
      pids,
      cpu: { 'cpu.weight': lowWeight[2], 'cpu.max': `${quota} ${periodMicroseconds}` },
    },
  };
}

const killRounds = 100;
const roundMilliseconds = 20;

/** Removes the cgroups that killed runs left behind. */
function removeOrphans({ mountPoint }: Place): void {
  const orphans = readdirSync(mountPoint).filter((name) => {
    const [, pid = '', beginning] = namePattern.exec(name) ?? [];
    return pid !== '' && beginningOf(Number(pid)) !== beginning;
  });
  remove(orphans.map((name) => `${mountPoint}/${name}`));
}

/** Kills the processes still in them. The next run finds what cannot be removed now as an orphan. */
function remove(directories: readonly string[]): void {
  killAll(directories);
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch {
      // It was never made, or somebody has entered it.
    }
  }
}

function killAll(directories: readonly string[]): void {
  const busy = directories.filter((each) => pidsIn(each).length > 0);
  for (const each of busy) if (!write(`${each}/cgroup.kill`, '1')) write(`${each}/pids.max`, '0');
  for (const each of busy) killIn(each);
}

/** Repeats until none is left: processes that were being forked when forks were stopped appear later. */
function killIn(directory: string): void {
  for (let round = 0; round < killRounds; round++) {
    const pids = pidsIn(directory);
    if (pids.length === 0) return;
    for (const pid of pids) {
      const opened = openProcess(pid);
      if (!opened.ok) continue;
      using process = opened.value;
      // Still listed: the number is this process's, and was all along.
      if (pidsIn(directory).includes(pid)) process.signal('SIGKILL');
    }
    sleepSync(roundMilliseconds);
  }
}

/** Returns whether the cgroup has this file. Linux 5.14 and newer can kill all processes of a v2 cgroup at once. */
function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

const pidsIn = (directory: string): readonly number[] =>
  (readText(`${directory}/cgroup.procs`) ?? '').split('\n').filter(Boolean).map(Number);

/**
 * Returns the start time in clock ticks since boot, as text; undefined if root has no such process. A tenant's process
 * that reuses an old run's pid is not read: it can make the reader of its `stat` wait forever.
 */
function beginningOf(pid: number): string | undefined {
  const status = readText(`/proc/${pid}/status`) ?? '';
  if (statusValue(status, 'Uid')?.startsWith('0\t') !== true) return undefined;
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
