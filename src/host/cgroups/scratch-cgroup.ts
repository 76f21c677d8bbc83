/**
 * A cgroup that bounds all processes of one program together: what each may have, times how many there
 * are, is more than a host has. Nothing of the program outlives it.
 *
 *   /sys/fs/cgroup/memory/bulkhead-jail-4711-88231-0        (and pids, cpu; version 2: one for all)
 *
 * Named by the process that made it and when that began, so that the next run recognizes what a
 * killed one has left behind. It is next to the tree of the tenants, which stays untouched and need not
 * be there.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { reasonOf } from '../../sys/errno.ts';
import { findHierarchies1, findUnified } from './hierarchies.ts';
import { pathsOf } from '../paths.ts';
import { openProcess } from '../../sys/processes/pidfd.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { sleepSync } from '../../sys/sleep.ts';
import { readText } from '../../sys/files/read.ts';
import type { Cause } from '../../base/problem.ts';
import { fail, ok, type Result } from '../../base/result.ts';

export interface ScratchBounds {
  /** At most half of the host's. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** A low share of the CPU, and never all processors. */
  readonly isBackground?: boolean;
}

export interface ScratchCgroup extends Disposable {
  /** A process that writes 0 to each is inside, and what it starts. */
  readonly procsFiles: readonly string[];
  /** SIGKILL to all inside. */
  readonly kill: () => void;
}

/** Its use: a build of a kernel module, or the check of a configuration. */
export type ScratchPurpose = 'jail' | 'check';

const namePattern = /^bulkhead-(?:jail|check)-(\d+)-(\d+)-\d+$/;
type Controller = 'memory' | 'pids' | 'cpu';
const controllersOf = ({ isBackground }: ScratchBounds): readonly Controller[] =>
  isBackground === true ? ['memory', 'pids', 'cpu'] : ['memory', 'pids'];

/** Where a hierarchy is mounted, and what it can bound. */
interface Place {
  readonly mountPoint: string;
  readonly controllers: readonly Controller[];
  readonly version: 1 | 2;
}

/** No such program is worth half of the host. */
const memoryShare = 0.5;
/** What nice 10 means among processes: it has no effect across cgroups. */
const lowWeight = { 1: '110', 2: '10' } as const;
const periodMicroseconds = 100_000;

let made = 0;

/** Removed, with the processes that are left in it, when it is disposed of. */
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

/** Throws the kernel's error. */
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

/** In the order in which they must be written. */
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

/** What a killed run has left behind. */
function removeOrphans({ mountPoint }: Place): void {
  const orphans = readdirSync(mountPoint).filter((name) => {
    const [, pid = '', beginning] = namePattern.exec(name) ?? [];
    return pid !== '' && beginningOf(Number(pid)) !== beginning;
  });
  remove(orphans.map((name) => `${mountPoint}/${name}`));
}

/** Kills what is still in them. What cannot be removed now is an orphan of the next run. */
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

/** Again until none is left: what was being forked when forks ended appears later. */
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

/** Whether the cgroup has this file. Linux 5.14 and newer end all processes of a cgroup of version 2 at once. */
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
 * Clock ticks since boot, as text; undefined where root has no such process. A tenant's, which has
 * the number of a run that is over, is not read: it can make the reader of its `stat` wait for
 * ever.
 */
function beginningOf(pid: number): string | undefined {
  const status = readText(`/proc/${pid}/status`) ?? '';
  if (statusValue(status, 'Uid')?.startsWith('0\t') !== true) return undefined;
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
