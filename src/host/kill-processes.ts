/**
 * Kills the processes of a tenant, and lists others in its cgroup.
 *
 * A tenant's processes are those that the placer would move there (`ownership.ts`). Other users' processes in its
 * cgroup, such as a root shell of `su` and the daemons started from it, are never killed, nor are this program and its
 * parents. A pid cannot be reused between inspection and signal (`pidfd.ts`).
 */
import { printable } from '../../packages/base/printable.ts';
import { largestProcess } from '../sys/processes/largest-process.ts';
import type { Ownership, Uids } from './accounts/ownership.ts';
import { openProcess, type OpenProcess } from '../sys/processes/pidfd.ts';
import { statusName, statusValue } from '../sys/processes/process-status.ts';
import { sleepSync } from '../sys/sleep.ts';
import { userNamespaceMaker } from '../sys/processes/user-namespace.ts';

/** Ten seconds: on a busy host, killed processes need time to end. */
const rounds = 500;
const roundMilliseconds = 20;
/** A process started by `bulkhead exec` is root's for a moment, then the tenant's. */
const settledRounds = 10;
/** The maximum number of descriptors at a time. */
const batchProcesses = 256;
const shownMax = 8;
const ancestorsMax = 64;

/** The owner of a cgroup; the root cgroup has none. */
export interface CgroupOwner {
  readonly uid: number | undefined;
  readonly ownership: Ownership;
}

type ListProcesses = () => readonly number[];

/**
 * Sends SIGKILL to all processes of `owner` in `list`, repeatedly until there are none, since they may fork meanwhile.
 * Returns the processes left after ten seconds, or sooner if none of them is the tenant's.
 */
export function killProcesses(owner: CgroupOwner, list: ListProcesses): readonly number[] {
  const spared = ownLine();
  let settled = 0;
  for (let round = 0; round < rounds; round++) {
    const pids = list();
    let others = 0;
    for (let at = 0; at < pids.length; at += batchProcesses) {
      others += endThese(pids.slice(at, at + batchProcesses), owner, list, spared);
    }
    settled = others === pids.length ? settled + 1 : 0;
    if (pids.length === 0 || settled === settledRounds) return pids;
    sleepSync(roundMilliseconds);
  }
  return list();
}

/** Makes one pass, without waiting for processes to end. */
export function killOnce(owner: CgroupOwner, list: ListProcesses): void {
  const spared = ownLine();
  const pids = list();
  for (let at = 0; at < pids.length; at += batchProcesses)
    endThese(pids.slice(at, at + batchProcesses), owner, list, spared);
}

/** Sends SIGKILL to the tenant's largest process. Returns whether there was one. */
export function killLargest(owner: CgroupOwner, list: ListProcesses): boolean {
  const spared = ownLine();
  const mine = list().filter((pid) => whose(pid, owner, spared) === 'tenant');
  const pid = largestProcess(mine);
  return pid !== undefined && endThese([pid], owner, list, spared) === 0;
}

/**
 * Kills the tenant's processes; returns how many are others'. Only a process that is still listed after it was
 * opened gets a signal: then it is in the cgroup, or it is gone and the signal reaches nobody.
 */
function endThese(
  pids: readonly number[],
  owner: CgroupOwner,
  list: ListProcesses,
  spared: ReadonlySet<number>,
): number {
  using stack = new DisposableStack();
  const opened = pids.flatMap((pid) => {
    const found = openProcess(pid);
    return found.ok ? [stack.use(found.value)] : [];
  });
  const still = new Set(list());
  const here = opened.filter((each) => still.has(each.pid));
  const others = here.filter((each) => judge(each, owner, spared) === 'other');
  for (const each of here) if (!others.includes(each)) each.signal('SIGKILL');
  return others.length;
}

type Whose = 'tenant' | 'other' | 'gone';

function whose(
  pid: number,
  owner: CgroupOwner,
  spared: ReadonlySet<number>,
  pairsOf = ownPair,
): Whose {
  const found = openProcess(pid);
  if (!found.ok) return found.error === 'ESRCH' ? 'gone' : 'other';
  using process = found.value;
  return judge(process, owner, spared, pairsOf);
}

/** Judges whose process it is. One that cannot be read counts as another's. */
function judge(
  process: OpenProcess,
  { uid, ownership }: CgroupOwner,
  spared: ReadonlySet<number>,
  pairsOf: (status: string) => readonly Uids[] | undefined = ownPair,
): Whose {
  const status = process.read('status');
  if (!status.ok) return status.error === 'ESRCH' ? 'gone' : 'other';
  const pairs = pairsOf(status.value);
  if (spared.has(process.pid) || pairs === undefined || uid === undefined) return 'other';
  const askMaker = () => userNamespaceMaker(process.pid, process.at('ns/user'));
  const isTenants = pairs.every((uids) => {
    const tenant = ownership.tenantOf(uids, askMaker);
    return tenant.ok && tenant.value === uid;
  });
  return isTenants ? 'tenant' : 'other';
}

function uidsIn(status: string): Uids | undefined {
  const match = /^(\d+)\t(\d+)\t/.exec(statusValue(status, 'Uid') ?? '');
  return match === null ? undefined : { ruid: Number(match[1]), euid: Number(match[2]) };
}

const ownPair = (status: string) => {
  const uids = uidsIn(status);
  return uids && [uids];
};

/** Its real, effective, saved and file-system uid, each as if it had no other. */
const eachUid = (status: string) =>
  ownPair(status) &&
  [...new Set((statusValue(status, 'Uid') ?? '').split('\t').map(Number))].map((each) => ({
    ruid: each,
    euid: each,
  }));

/** Returns this process and its parents. */
function ownLine(): ReadonlySet<number> {
  const line = new Set([process.pid]);
  let parent = process.ppid;
  while (parent > 0 && line.size < ancestorsMax) {
    line.add(parent);
    parent = parentOf(parent);
  }
  return line;
}

function parentOf(pid: number): number {
  const found = openProcess(pid);
  if (!found.ok) return 0;
  using process = found.value;
  const status = process.read('status');
  return Number(status.ok ? (statusValue(status.value, 'PPid') ?? 0) : 0);
}

/** Describes processes for display: `4711 (uid 0, "bash"), 4712 (uid 0, "sleep")`. */
export function formatProcesses(pids: readonly number[]): string {
  const spared = ownLine();
  const shown = pids.slice(0, shownMax).map((pid) => describe(pid, spared));
  const more = pids.length > shownMax ? [`${pids.length - shownMax} more`] : [];
  return [...shown, ...more].join(', ');
}

function describe(pid: number, spared: ReadonlySet<number>): string {
  const found = openProcess(pid);
  if (!found.ok) return String(pid);
  using process = found.value;
  const status = process.read('status');
  if (!status.ok) return String(pid);
  const name = statusName(status.value) ?? '';
  const uid = uidsIn(status.value)?.ruid ?? 'unknown';
  const role = spared.has(pid) ? ', which this command runs in' : '';
  return `${pid} (uid ${uid}, "${printable(name)}"${role})`;
}

/** Returns the processes that are the tenant's. */
export const ownProcesses = (pids: readonly number[], owner: CgroupOwner): readonly number[] =>
  pids.filter((pid) => whose(pid, owner, new Set()) === 'tenant');

/** Returns whether some of them are not the tenant's, which are never killed. */
export function includesOthers(pids: readonly number[], owner: CgroupOwner): boolean {
  const spared = ownLine();
  return pids.some((pid) => whose(pid, owner, spared) === 'other');
}

/**
 * Returns whether some of them are not the tenant's, or have the rights of another account, as setuid programs have: they
 * may have locked what the host needs.
 */
export function includesOthersRights(pids: readonly number[], owner: CgroupOwner): boolean {
  const spared = ownLine();
  return pids.some((pid) => whose(pid, owner, spared, eachUid) === 'other');
}
