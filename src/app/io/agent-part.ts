/**
 * The agent keeps applications as the policy and tenants' definitions say: it writes what differs, lets one that was started
 * too often start again after a while, and starts those that run always.
 */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { Rounds } from '../../host/reconcile/rounds.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { fail, ok } from '../../../packages/base/result.ts';
import { appKey } from '../core/names.ts';
import { RestWatch } from '../core/rest-watch.ts';
import { appPaths } from './layout.ts';
import { forgetOwnApps, type Homes } from './own-apps.ts';
import { hasApps } from './plan.ts';
import { reconcileApps, wantsApps } from './reconcile.ts';
import { readApps, type SeenApp } from './states.ts';
import { OwnApps } from './tenant-apps.ts';

const everyMs = 30_000;

/** Returns the text of the policy file; undefined if it cannot be read. */
function textOf(file: string): string | undefined {
  const read = readPolicyFile(file);
  return read.ok ? read.value : undefined;
}

export function appPart(paths: Paths, log: Log): AgentPart {
  const loop = new AppRounds(paths, log);
  const rounds = new Rounds(everyMs, () => loop.round());
  const apps = new OwnApps({
    paths,
    policy: () => loop.policy,
    seen: () => loop.seen,
    apply: () => loop.round(),
    runsSystemd,
  });
  return {
    apps,
    adopt(policy, homes) {
      loop.adopt(policy, homes);
      rounds.soon();
    },
    afterTick() {
      if (runsSystemd()) rounds.tick();
    },
  };
}

class AppRounds {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #report: Report;
  readonly #resting = new RestWatch();
  policy: Policy | undefined;
  /** The applications as they were last seen. */
  seen: readonly SeenApp[] | undefined;
  #homes: Homes = new Map();
  #last = Promise.resolve();

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#report = reportOnce((text) => log.warn(text));
  }

  adopt(policy: Policy, homes: Homes): void {
    this.policy = policy;
    this.seen = undefined;
    this.#homes = homes;
    for (const problem of forgetOwnApps(this.#paths, policy, homes))
      this.#log.warn(formatProblem(problem));
  }

  /** Runs after the round that is running. */
  round(): Promise<void> {
    return (this.#last = this.#last.then(() => this.#once()));
  }

  async #once(): Promise<void> {
    const { policy } = this;
    if (policy === undefined) return;
    if (!wantsApps(policy, this.#paths) && !hasApps(this.#paths)) {
      this.seen = [];
      return;
    }
    // A command may have applied a policy that this process has not adopted yet, or be about to.
    const isCurrent = () => this.policy === policy && textOf(policy.file) === policy.text;
    const { lock } = appPaths(this.#paths);
    if (!isCurrent() || isLocked(lock)) return;
    const seen = await this.#look(policy);
    this.#report(seen);
    if (!seen.ok) return;
    const { apps, plan } = seen.value;
    const looping = apps.filter(({ state }) => state === 'crash loop');
    const rests = this.#resting.see(
      looping.map(({ id }) => appKey(id)),
      performance.now(),
    );
    for (const each of looping.filter(({ id }) => rests.begun.has(appKey(id)))) this.#tell(each);
    const isDue =
      plan.changes.length > 0 ||
      plan.unreadable.length > 0 ||
      rests.over.size > 0 ||
      apps.some(({ state }) => state === 'not applied') ||
      apps.some(({ state, app }) => app.idleSeconds === 0 && state === 'idle');
    if (!isDue) return;
    const agent = { resting: rests.resting, homes: this.#homes, isCurrent };
    const problems = await reconcileApps(policy, this.#paths, { agent });
    const [problem] = problems;
    this.#report(problem === undefined ? ok(undefined) : fail(problem));
    await this.#look(policy);
  }

  async #look(policy: Policy): ReturnType<typeof readApps> {
    const read = await readApps(policy, this.#paths, this.#homes);
    if (read.ok && this.policy === policy) this.seen = read.value.apps;
    return read;
  }

  #tell({ owner, app, reason = 'started too often' }: SeenApp): void {
    const name = printable(`${owner.user}/${app.name}`);
    this.#log.warn(
      `Application ${name} is not started for some minutes: ${reason}; see: bulkhead app log ${name}`,
    );
  }
}
