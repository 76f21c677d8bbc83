/**
 * The agent keeps applications as the policy says: it writes what differs, lets one that was started too often start again
 * after a while, and starts those that run always.
 */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { reportOnce, type Report } from '../../host/reconcile/report-once.ts';
import { Rounds } from '../../host/reconcile/rounds.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { printable } from '../../../packages/base/printable.ts';
import { fail, ok } from '../../../packages/base/result.ts';
import { appKey } from '../core/names.ts';
import { RestWatch } from '../core/rest-watch.ts';
import { hasApps } from './policy-part.ts';
import { reconcileApps } from './reconcile.ts';
import { readApps, type SeenApp } from './states.ts';

const everyMs = 30_000;

export function appPart(paths: Paths, log: Log): AgentPart {
  const loop = new AppRounds(paths, log);
  const rounds = new Rounds(everyMs, () => loop.round());
  return {
    adopt(policy) {
      loop.policy = policy;
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

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#report = reportOnce((text) => log.warn(text));
  }

  async round(): Promise<void> {
    const { policy } = this;
    if (policy === undefined) return;
    const isWanted = policy.tenants.some(({ apps }) => apps !== undefined);
    if (!isWanted && !hasApps(this.#paths)) return;
    const seen = await readApps(policy, this.#paths);
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
      rests.over.size > 0 ||
      apps.some(({ state }) => state === 'not applied') ||
      apps.some(({ state, app }) => app.idleSeconds === 0 && state === 'idle');
    if (!isDue) return;
    const problems = await reconcileApps(policy, this.#paths, { resting: rests.resting });
    const [problem] = problems;
    this.#report(problem === undefined ? ok(undefined) : fail(problem));
  }

  #tell({ owner, app, reason = 'started too often' }: SeenApp): void {
    const name = printable(`${owner.user}/${app.name}`);
    this.#log.warn(
      `Application ${name} is not started for some minutes: ${reason}; see: bulkhead app log ${name}`,
    );
  }
}
