/**
 * Ends all processes of a tenant, even a fork bomb: none of its processes can fork while they are killed, since
 * `pids.max` is 0 for that time. Others' processes in its cgroup are spared, but cannot fork.
 */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Driver } from '../../host/driver.ts';
import { killOnce, killProcesses, ownProcesses } from '../../host/kill-processes.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import type { Tenant } from '../../policy/policy.ts';

const pidsMax = 'pids.max';
/** The maximum that the kernel accepts. */
const pidsPossibleMax = 4_194_304;
/** The number of passes: the second finds processes that were being forked when the first began. */
const passes = 3;

type ListProcesses = () => readonly number[];

export interface Killed {
  /** How many of its processes were seen, and are gone. */
  readonly killed: number;
  /** Its processes that do not die. */
  readonly left: readonly number[];
  /** Processes of others in its cgroup, which were spared. */
  readonly others: readonly number[];
}

/**
 * Kills its processes until there are none, for some seconds; returns those that are left. `outside` lists its
 * processes in other cgroups; `before` are those that it had before somebody else could end them.
 */
export function killTenant(
  driver: Driver,
  tenant: Tenant,
  outside: ListProcesses,
  before: readonly number[] = [],
): Killed {
  const cgroup = tenantCgroup(tenant);
  const seen = new Set(before);
  const list = () => {
    const pids = [...new Set([...driver.processes(cgroup), ...outside()])];
    for (const pid of pids) seen.add(pid);
    return pids;
  };
  const owner = driver.ownerOf(cgroup);
  const rest = withoutForks(driver, tenant, () => killProcesses(owner, list));
  const left = ownProcesses(rest, owner);
  const others = rest.filter((pid) => !left.includes(pid));
  return { killed: seen.size - rest.length, left, others };
}

/** Does the same without waiting, for the agent; returns how many there were. */
export function sweepTenant(driver: Driver, tenant: Tenant): number {
  const cgroup = tenantCgroup(tenant);
  const first = driver.processes(cgroup);
  if (first.length === 0) return 0;
  const owner = driver.ownerOf(cgroup);
  withoutForks(driver, tenant, () => {
    for (let pass = 0; pass < passes; pass++) killOnce(owner, () => driver.processes(cgroup));
  });
  return first.length;
}

/**
 * Runs an action while the tenant cannot fork. Afterwards it has the limit of the policy again, whatever it had before:
 * another process may be doing the same. If this is interrupted, the next apply restores the limit.
 */
function withoutForks<T>(driver: Driver, tenant: Tenant, action: () => T): T {
  const files = driver.tree.hierarchies.find(({ controllers }) => controllers.has('pids'))?.files;
  const cgroup = tenantCgroup(tenant);
  if (files?.write(cgroup, pidsMax, '0').ok !== true) return action();
  const limit = tenant.values['processes.limit'] ?? unlimited;
  try {
    return action();
  } finally {
    files.write(
      cgroup,
      pidsMax,
      limit === unlimited || limit >= pidsPossibleMax ? 'max' : String(limit),
    );
  }
}

/** Whether tenants can be frozen: cgroup v2 is needed. */
export const canFreeze = (driver: Driver): boolean => driver.tree.version === 2;

/** Also of one that is not in the policy any more: its cgroup is found by its uid. */
export function thaw(driver: Driver, uid: number): void {
  const children = driver.tree.hierarchies[0]?.files.children('') ?? [];
  const resellers = children.filter((each) => /^r\d+$/.test(each));
  for (const above of ['', ...resellers.map((each) => `${each}/`)])
    setFrozen(driver, `${above}u${uid}`, false);
}

/** Whether the cgroup is there, and was written to. */
export function setFrozen(driver: Driver, cgroup: string, frozen: boolean): boolean {
  if (!canFreeze(driver)) return false;
  const [hierarchy] = driver.tree.hierarchies;
  return hierarchy?.files.write(cgroup, 'cgroup.freeze', frozen ? '1' : '0').ok === true;
}
