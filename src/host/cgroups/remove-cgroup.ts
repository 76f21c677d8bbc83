/**
 * Removes the cgroup of a tenant or reseller, with all that is below it.
 *
 * The kernel refuses this while processes are in the cgroup. They are killed only on request, and other users'
 * processes never.
 */
import { count } from '../../../packages/base/list.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { RemoveCgroup } from '../../plan/operations.ts';
import { dividedCgroup, parentOf } from '../../plan/wanted.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import type { Tree } from '../driver.ts';
import {
  formatProcesses,
  includesOthers,
  killProcesses,
  type CgroupOwner,
} from '../kill-processes.ts';
import { cgroupsBelow, partsIn, removeCgroupTree } from './cgroup-tree.ts';
import type { Hierarchy } from './hierarchies.ts';
import { pidsOf, processFile } from './move-processes.ts';

/** Cgroups below a tenant's are not ours, except its parts; removal searches for them down to this depth. */
export const deepest = 8;

interface Removal {
  readonly kill: boolean;
  readonly ownerOf: (cgroup: string) => CgroupOwner;
}

export function removeCgroup(
  operation: RemoveCgroup,
  tree: Tree,
  removal: Removal,
): Result<void, Problem> {
  const { cgroup } = operation;
  const blocker = emptyCgroup(operation, tree, removal);
  if (blocker !== undefined) return failed(blocker);
  for (const hierarchy of tree.hierarchies) {
    if (!operation.hierarchies.includes(hierarchy.name)) continue;
    const { files, rootPath } = hierarchy;
    if (tree.version === 1) liftQuotas(files, cgroup);
    const removed = removeCgroupTree(files, cgroup, deepest);
    if (removed.ok) continue;
    const object = `${rootPath}/${cgroup}`;
    return failed({ action: 'remove the cgroup', object, ...errnoCause(removed.error) });
  }
  return ok(undefined);
}

/** Empties the cgroup. Returns the reason if processes are left in it. */
function emptyCgroup(
  { cgroup, to }: RemoveCgroup,
  tree: Tree,
  { kill, ownerOf }: Removal,
): Problem | undefined {
  const stays = to !== undefined;
  const list = () => processesBelow(tree, cgroup);
  const left = list();
  if (left.length === 0) return undefined;
  // Processes of a tenant that stays came after the others were moved.
  if (stays || dividedCgroup(cgroup) !== undefined) return cameLate(cgroup, left);
  const owner = ownerOf(cgroup);
  const still = kill ? killProcesses(owner, list) : left;
  return still.length === 0 ? undefined : inTheWay(cgroup, still, owner, kill);
}

function processesBelow({ hierarchies }: Tree, cgroup: string): readonly number[] {
  const all = new Set<number>();
  for (const { files } of hierarchies) {
    for (const path of [cgroup, ...cgroupsBelow(files, cgroup, deepest)]) {
      for (const pid of pidsOf(files.read(path, processFile))) all.add(pid);
    }
  }
  return [...all];
}

/**
 * Lifts quotas before removal: v1 refuses a parent a lower quota than its child's, even a removed child's until the
 * kernel frees it. A failure here shows up when the parent is written.
 */
function liftQuotas(files: Hierarchy['files'], cgroup: string): void {
  for (const each of [...partsIn(files, cgroup), cgroup])
    if (parentOf(each) !== '') files.write(each, 'cpu.cfs_quota_us', '-1');
}

const cameLate = (cgroup: string, left: readonly number[]): Problem => ({
  action: 'remove the cgroup',
  object: cgroup,
  reason: `it has new processes: ${formatProcesses(left)}`,
  hint: 'apply again',
});

function inTheWay(
  cgroup: string,
  left: readonly number[],
  owner: CgroupOwner,
  kill: boolean,
): Problem {
  const many = count(left.length, 'process is', 'processes are');
  const own = kill ? 'they do not die; try again later' : 'stop them, or pass --kill';
  return {
    action: 'remove the cgroup',
    object: cgroup,
    reason: `${many} in it: ${formatProcesses(left)}`,
    hint: includesOthers(left, owner)
      ? "--kill kills only the tenant's own processes; end the others, or move them to another cgroup, and apply again"
      : own,
  };
}
