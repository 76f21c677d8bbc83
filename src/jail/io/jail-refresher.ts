/**
 * Keeps jails up to date with the host while the agent runs: once a minute it checks whether files of /etc, or mounts
 * under homes, have changed. The agent's service may not enter namespaces, so `bulkhead-jail.service` builds jails
 * there.
 */
import { keyOf } from '../core/jail-key.ts';
import { existsSync, lstatSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { Log } from '../../agent/log.ts';
import type { AgentPart, Alarm } from '../../agent/part.ts';
import { Reconciler } from '../../host/reconcile/reconciler.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { isAt } from '../../policy/jail.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Paths } from '../../host/paths.ts';
import { restoreElsewhere } from '../../host/restore-elsewhere.ts';
import { readMounts } from '../../sys/files/mounts.ts';
import { brokeredPrograms, etcNames, hostSockets } from '../core/layout.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { DatabaseWatch } from './databases/watch.ts';
import { readUnmounted } from './databases/unmounted.ts';
import { jailPathsOf } from './jail-paths.ts';
import { jailTenants } from './jail-tenants.ts';
import { jailPart } from './part.ts';
import { restrictedUids, programsState } from './programs.ts';

const restore = restoreElsewhere({
  unit: 'bulkhead-jail.service',
  command: ['jail', 'sync'],
  action: 'build the jails',
  timeoutMs: 1_500_000,
});

export type BuildNow = (policy: Policy, paths: Paths) => Promise<Result<void, Problem>>;

export function jailRefresher(paths: Paths, log: Log): AgentPart {
  return new JailRefresher(paths, log, ({ file }) => restore(paths, file));
}

export class JailRefresher implements AgentPart {
  readonly #paths: Paths;
  readonly #build: BuildNow;
  readonly #report: Report;
  readonly #reconciler: Reconciler;
  #policy: Policy | undefined;
  /** The host's state at this check, and at the last build that succeeded. */
  #state = '';
  #built: string | undefined;
  /** The state at the last check. */
  #before = { programs: false, vault: false };
  #isVaultGone = false;
  readonly #alarms: Alarm[] = [];
  readonly #databases: DatabaseWatch;

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, build: BuildNow, clock = () => performance.now()) {
    this.#paths = paths;
    this.#build = build;
    this.#databases = new DatabaseWatch(clock);
    this.#report = reportOnce((text) => log.error(text));
    this.#reconciler = new Reconciler(
      { deviation: () => this.#deviation(), attempt: () => this.#attempt() },
      { about: 'jails', log: (text) => log.error(text), clock },
    );
  }

  adopt(policy: Policy): void {
    this.#policy = policy;
    this.#reconciler.soon();
  }

  afterTick(): void {
    if (this.#databases.hasNew()) this.#reconciler.soon();
    this.#reconciler.tick();
  }

  #deviation(): string | undefined {
    const policy = this.#policy;
    if (policy === undefined) return undefined;
    if (jailTenants(policy).length === 0 && !existsSync(jailPathsOf(this.#paths).base))
      return undefined;
    const databases = this.#databases.follow(findDatabases(this.#paths));
    this.#state = `${stateOf(policy, this.#paths)}\n${databases}`;
    this.#watch(policy);
    const plan = [
      ...(this.#isVaultGone ? ['bring back the vault'] : []),
      ...jailPart.plan(policy, this.#paths),
    ];
    if (this.#state === this.#built && plan.length === 0) return undefined;
    return [this.#state, ...plan].join('\n');
  }

  async #attempt(): Promise<void> {
    if (this.#policy === undefined) return;
    const state = this.#state;
    const built = await this.#build(this.#policy, this.#paths);
    if (!built.ok) this.#alarms.push(notBuilt(formatProblem(built.error)));
    const done = built.ok ? this.#socketsMounted() : built;
    if (done.ok) this.#built = state;
    this.#report(done);
  }

  #socketsMounted(): Result<void, Problem> {
    const unmounted = [...readUnmounted(jailPathsOf(this.#paths))];
    if (unmounted.length === 0) return ok(undefined);
    const which = unmounted.map(([path, reason]) => `${path}: ${reason}`).join('; ');
    this.#alarms.push(notMounted(which));
    return failed({ action: 'mount sockets of database servers in jails', reason: which });
  }

  /** Notices what only root can remove. */
  #watch(policy: Policy): void {
    const now = {
      programs: programsState(this.#paths) !== undefined,
      vault: isVaultThere(this.#paths),
    };
    const before = this.#before;
    this.#before = now;
    const isNeeded = restrictedUids(policy).length > 0;
    if (now.vault || !isNeeded) this.#isVaultGone = false;
    if (!isNeeded) return;
    if (before.programs && !now.programs) this.#alarms.push(programsRemoved);
    if (!before.vault || now.vault) return;
    this.#isVaultGone = true;
    this.#alarms.push(vaultRemoved);
  }

  takeAlarms(): readonly Alarm[] {
    return this.#alarms.splice(0);
  }
}

const programsRemoved: Alarm = {
  about: 'jails apart',
  title: 'the programs that keep jails apart were removed',
  text: 'The BPF programs that keep jails and the host apart had been removed from the kernel by somebody who is root here. They are being loaded again; see bulkhead jail status.',
};
const vaultRemoved: Alarm = {
  about: 'jails',
  title: 'the way into jails was removed',
  text: 'The namespace that leads to all jails had been unmounted by somebody who is root here, and no tenant with a jail could start anything. They are being built again; see bulkhead jail status.',
};
const notBuilt = (problems: string): Alarm => ({
  about: 'jails',
  title: 'jails of the policy are not in force',
  text: `Jails of the policy could not be built or kept as the policy says: ${problems}. Tenants whose jail cannot be entered start nothing. See bulkhead jail status.`,
});

const notMounted = (which: string): Alarm => ({
  about: 'jails database sockets',
  title: 'sockets of database servers could not be mounted in jails',
  text: `All jails are in force, but programs in them may not reach a database server: ${which}. The agent tries again every ten minutes. See bulkhead jail status.`,
});

/**
 * Whether the vault exists in process 1's view, since a service has no pins. False also if that view is closed to us.
 */
function isVaultThere(paths: Paths): boolean {
  const { vault, below } = jailPathsOf(paths);
  try {
    const [pin, file] = [vault, below].map((path) => statSync(`${paths.proc}/1/root${path}`));
    return pin?.ino !== file?.ino || pin?.dev !== file?.dev;
  } catch {
    return false;
  }
}

/**
 * Returns a value that changes when copies of /etc, accounts, single files of the host, or mounts under homes may have
 * changed.
 */
function stateOf(policy: Policy, paths: Paths): string {
  const hash = createHash('sha256');
  for (const name of [...etcNames, 'passwd', 'group']) {
    const stat = lstatSync(`${paths.etc}/${name}`, { bigint: true, throwIfNoEntry: false });
    hash.update(`${name} ${stat?.ino} ${stat?.mtimeNs}\n`);
  }
  // Mounts on them, or made from them, are lost when another file takes the name.
  const { agent } = jailPathsOf(paths);
  for (const path of [...brokeredPrograms, ...hostSockets, agent]) {
    hash.update(`${path} ${statSync(path, { throwIfNoEntry: false })?.ino}\n`);
  }
  const tenants = jailTenants(policy);
  const directories = tenants.flatMap(({ account, jail }) => [
    ...(account === undefined ? [] : [account.home]),
    ...jail.paths.map(({ at }) => at),
  ]);
  hash.update(JSON.stringify(tenants.map((each) => [keyOf(each), each.jail])));
  for (const { id, mountPoint } of readMounts(paths)) {
    const concerns = directories.some((each) => isAt(each, mountPoint));
    if (concerns) hash.update(`${id} ${mountPoint}\n`);
  }
  return hash.digest('hex');
}
