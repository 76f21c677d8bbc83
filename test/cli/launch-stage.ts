/** The common part of the launcher tests: the cgroup tree. */
import * as fs from 'node:fs';
import { join } from 'node:path';

export type Tree = {
  readonly join: 'tasks' | 'cgroup.procs';
  readonly roots: readonly string[];
};

/** Returns the tree that `instance` would have on this host. */
export function findTree(instance: string): Tree {
  const cgroup2Magic = 0x63677270;
  if (!fs.existsSync('/sys/fs/cgroup')) return { join: 'tasks', roots: [] };
  if (fs.statfsSync('/sys/fs/cgroup').type === cgroup2Magic) {
    return { join: 'cgroup.procs', roots: [`/sys/fs/cgroup/${instance}`] };
  }
  const hierarchies = ['cpu', 'cpuacct', 'memory', 'blkio', 'pids', 'freezer']
    .map((controller) => `/sys/fs/cgroup/${controller}`)
    .filter((hierarchy) => fs.existsSync(`${hierarchy}/tasks`));
  return { join: 'tasks', roots: hierarchies.map((hierarchy) => `${hierarchy}/${instance}`) };
}

export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Removes a cgroup and those below it; the last process in it may still be on its way out. */
export function removeCgroup(path: string): void {
  if (!fs.existsSync(path)) return;
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  for (let left = 50; ; left--) {
    try {
      return fs.rmdirSync(path);
    } catch (error) {
      if (left === 0) throw error;
      pause(20);
    }
  }
}

export function launchText(from: Tree): string {
  const roots = from.roots.map((root) => `root ${root}`);
  return ['launch 1', `join ${from.join}`, ...roots, 'end', ''].join('\n');
}
