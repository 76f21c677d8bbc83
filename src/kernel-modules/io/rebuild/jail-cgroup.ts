/**
 * A cgroup that bounds all of a jail's processes together: what each may have, times how many there
 * are, is more than a host has.
 *
 *   /sys/fs/cgroup/memory/bulkhead-jail-4711-88231-0        (and pids, cpu; version 2: one for all)
 *
 * Named by the process that made it and when that began, so that the next run recognizes what a
 * killed one has left behind. It is beside the tree of the tenants, which stays untouched.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { reasonOf } from '../../../sys/errno.ts';
import { findHierarchies1, findUnified } from '../../../host/cgroups/hierarchies.ts';
import { pathsOf } from '../../../host/paths.ts';
import { openProcess } from '../../../sys/processes/pidfd.ts';
import { statusValue } from '../../../sys/processes/process-status.ts';
import { sleepSync } from '../../../sys/sleep.ts';
import { readText } from '../../../sys/files/read.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

interface JailBounds {
  readonly memoryBytes: number;
  readonly processes: number;
}

export interface JailCgroup extends Disposable {
  /** A process that writes 0 to each is inside, and what it starts. */
  readonly procsFiles: readonly string[];
  /** SIGKILL to all inside. */
  readonly kill: () => void;
}

const prefix = 'bulkhead-jail-';
const namePattern = /^bulkhead-jail-(\d+)-(\d+)-\d+$/;
const wanted = ['memory', 'pids', 'cpu'] as const;
type Controller = (typeof wanted)[number];

/** Where a hierarchy is mounted, and what it can bound. */
interface Place {
  readonly mountPoint: string;
  readonly controllers: readonly Controller[];
  readonly version: 1 | 2;
}

/** No build is worth half of the host. */
const memoryShare = 0.5;
/** What nice 10 means among processes: it has no effect across cgroups. */
const lowWeight = { 1: '110', 2: '10' } as const;
const periodMicroseconds = 100_000;
/** The programs that make the jail. */
const ownProcesses = 16;

let made = 0;

export function makeJailCgroup(bounds: JailBounds): Result<JailCgroup, Cause> {
  if (process.getuid?.() !== 0) return fail({ reason: 'only root can make a cgroup' });
  const places = findPlaces();
  if (!places.ok) return places;
  for (const place of places.value) removeOrphans(place);
  const name = `${prefix}${process.pid}-${beginningOf(process.pid) ?? 0}-${made++}`;
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
    kill: () => directories.forEach(killAll),
    [Symbol.dispose]: () => remove(directories),
  });
}

function findPlaces(): Result<readonly Place[], Cause> {
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
function make(directory: string, { controllers, mountPoint, version }: Place, bounds: JailBounds) {
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
function valuesOf(bounds: JailBounds): Readonly<Record<1 | 2, Record<Controller, Files>>> {
  const memory = String(Math.min(bounds.memoryBytes, Math.floor(totalmem() * memoryShare)));
  const pids = { 'pids.max': String(bounds.processes + ownProcesses) };
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

/** What a killed run has left behind. Its jail ended with it. */
function removeOrphans({ mountPoint }: Place): void {
  const orphans = readdirSync(mountPoint).filter((name) => {
    const [, pid = '', beginning] = namePattern.exec(name) ?? [];
    return pid !== '' && beginningOf(Number(pid)) !== beginning;
  });
  remove(orphans.map((name) => `${mountPoint}/${name}`));
}

/** Kills what is still in them. What cannot be removed now is an orphan of the next run. */
function remove(directories: readonly string[]): void {
  for (const directory of directories) {
    killAll(directory);
    try {
      rmdirSync(directory);
    } catch {
      // It was never made, or somebody has entered it.
    }
  }
}

/** Again until none is left, since they may fork meanwhile. */
function killAll(directory: string): void {
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

/** For the report: what is not bounded without such a cgroup. */
export const boundedByProcess = (why: string): string =>
  `The memory and CPU of the build were limited per process, but not in total: ${why}`;
