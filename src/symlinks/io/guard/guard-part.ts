/**
 * The agent's part for the guard. Refused links become faults of their owners. The guard is reconciled with the policy
 * when the policy has changed, or when somebody has removed the guard, which also alerts the administrator.
 */
import type { Log } from '../../../agent/log.ts';
import type { AgentPart, Alarm, Protection, ReportedFault } from '../../../agent/part.ts';
import { Reconciler } from '../../../host/reconcile/reconciler.ts';
import { reportOnce, type Report } from '../../../host/reconcile/report-once.ts';
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import {
  causedBy,
  failed,
  formatProblem,
  type Problem,
} from '../../../../packages/base/problem.ts';
import { Ownership } from '../../../host/accounts/ownership.ts';
import { readSubordinateUids } from '../../../host/accounts/subordinate-uids.ts';
import type { Paths } from '../../../host/paths.ts';
import { restoreElsewhere, type Restore } from '../../../host/restore-elsewhere.ts';
import type { Policy } from '../../../policy/policy.ts';
import { ProgramEvents } from '../../../sys/bpf/program-events.ts';
import { readMounts } from '../../../sys/files/mounts.ts';
import { parseRefusedLink } from '../../core/guard/refused-link.ts';
import { linkText } from '../../core/guard/link-incidents.ts';
import { LinkTally, type Known } from '../../core/guard/link-tally.ts';
import { whoseLink } from '../../core/guard/whose-link.ts';
import { readGuardChoice } from './choice.ts';
import { inForce, isGuardInForce, symlinkGuard } from './guard.ts';
import { resolveRule } from './names.ts';
import { selfTestGroup } from './self-test.ts';

/** The maximum number of records per tick. The programs report a few a second of each owner. */
const recordsMax = 2000;

export const guardPart = (paths: Paths, log: Log): AgentPart =>
  new GuardPart(
    paths,
    log,
    restoreElsewhere({
      unit: 'bulkhead-symlinks.service',
      command: ['symlinks', 'guard', 'sync'],
      action: 'reconcile the symlink guard with the policy',
    }),
  );

export class GuardPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #restore: Restore;
  readonly #report: Report;
  readonly #reconciler: Reconciler;
  readonly #tally = new LinkTally();
  readonly #events: ProgramEvents;
  #policy: Policy | undefined;
  /** Whether it was in line with this policy at the last check. */
  #wasInLine = false;
  readonly #alarms: Alarm[] = [];

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, restore: Restore, clock = () => performance.now()) {
    this.#paths = paths;
    this.#log = log;
    this.#restore = restore;
    this.#report = reportOnce((text) => log.error(text));
    this.#reconciler = new Reconciler(
      { deviation: () => this.#deviation(), attempt: () => this.#attempt() },
      { about: 'the symlink guard', log: (text) => log.error(text), clock },
    );
    this.#events = new ProgramEvents(symlinkGuard(paths), (totals) => this.#tally.restart(totals));
  }

  adopt(policy: Policy): void {
    this.#policy = policy;
    this.#wasInLine = false;
    this.#reconciler.soon();
  }

  takeFaults(): readonly ReportedFault[] {
    const taken = this.#events.take(recordsMax);
    if (!taken.ok) this.#report(taken);
    if (!taken.ok || taken.value === undefined) return [];
    const { generation, records } = taken.value;
    const mountPoints = new Map<string, string>();
    // If a file system has several mounts, the first that shows all of it counts.
    if (records.length > 0)
      for (const { device, root, mountPoint } of readMounts(this.#paths))
        if (root === '/' && !mountPoints.has(device)) mountPoints.set(device, mountPoint);
    const ownGroup = selfTestGroup(generation);
    const known = this.#known(mountPoints);
    for (const record of records) {
      const link = parseRefusedLink(record);
      if (link === undefined || link.gid === ownGroup) continue;
      this.#tally.add(link, Date.now(), known);
    }
    const faults = this.#tally.take();
    this.#tellUnowned();
    return faults;
  }

  #known(mountPoints: ReadonlyMap<string, string>): Known {
    const tenants = this.#policy?.tenants ?? [];
    const names = new Map(tenants.map(({ uid, account }) => [uid, account?.user] as const));
    const homes = tenants.flatMap(({ uid, account }) =>
      account === undefined ? [] : [{ uid, path: account.home }],
    );
    let ownership: Ownership | undefined;
    return {
      nameOf: (uid) => (uid === 0 ? 'root' : (names.get(uid) ?? `uid ${uid}`)),
      mountPointOf: (device) => mountPoints.get(device),
      tenantOf: (owner, place) => {
        if (names.has(owner)) return owner;
        // Ranges of subordinate uids are read anew: an account may have got them since.
        const uids = new Set(names.keys());
        const owners = (ownership ??= new Ownership(uids, readSubordinateUids(this.#paths, uids)));
        return whoseLink(owner, place, (uid) => owners.byMaker(uid), homes);
      },
    };
  }

  #tellUnowned(): void {
    const { unowned } = this.#tally;
    if (unowned === undefined) return;
    const { count: number, example } = unowned;
    const shown = example === undefined ? '' : `, such as ${printable(linkText(example))}`;
    this.#log.warn(`The symlink guard met ${count(number, 'link')} that are no tenant's${shown}`);
  }

  afterTick(): void {
    this.#reconciler.tick();
  }

  #deviation(): string | undefined {
    if (this.#policy === undefined) return undefined;
    const deviation = this.#deviationFrom(this.#policy);
    if (deviation === undefined) this.#wasInLine = true;
    return deviation;
  }

  #deviationFrom({ symlinks }: Policy): string | undefined {
    const choice = readGuardChoice(this.#paths);
    if (symlinks === undefined || choice === 'off')
      return inForce(this.#paths) === undefined ? undefined : 'it is on';
    const rule = resolveRule(symlinks, choice, this.#paths);
    if (rule.ok)
      return isGuardInForce(rule.value, this.#paths) ? undefined : JSON.stringify(rule.value);
    this.#report(rule);
    // The policy names an account that does not exist; the loaded guard stays.
    return undefined;
  }

  async #attempt(): Promise<void> {
    if (this.#policy === undefined) return;
    const { file, symlinks } = this.#policy;
    const isWanted = symlinks !== undefined && readGuardChoice(this.#paths) !== 'off';
    const wasRemoved = this.#wasInLine && inForce(this.#paths) === undefined;
    const restored = await this.#restore(this.#paths, file);
    if (isWanted && !restored.ok) this.#alarms.push(notInForce(restored.error));
    else if (isWanted && wasRemoved) this.#alarms.push(removed);
    if (restored.ok) this.#log.info('The symlink guard has been brought in line with the policy');
    this.#report(
      restored.ok
        ? restored
        : failed({ action: 'keep the symlink guard', ...causedBy(restored.error) }),
    );
  }

  protection(): Protection {
    const now = inForce(this.#paths);
    if (now !== undefined)
      return { name, state: now.rule.mode, refused: now.counters.refused + now.counters.watched };
    return { name, state: symlinkGuard(this.#paths).areInForce() ? 'unknown' : 'off' };
  }

  takeAlarms(): readonly Alarm[] {
    return this.#alarms.splice(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#events[Symbol.dispose]();
    return Promise.resolve();
  }
}

const name = 'symlink-guard';
const about = 'symlink guard';
const notInForce = (problem: Problem): Alarm => ({
  about,
  title: 'the symlink guard is not in force',
  text: `The policy has the symlink guard, and it is not in force as the policy says: ${formatProblem(problem)}. See bulkhead symlinks guard status.`,
});
const removed: Alarm = {
  about,
  title: 'the symlink guard was removed',
  text: 'The programs of the symlink guard had been removed from the kernel by somebody who is root here, and web servers followed any link. They have been loaded again.',
};
