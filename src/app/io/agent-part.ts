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
import { underLockAsync } from '../../sys/files/under-lock.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { fail, ok } from '../../../packages/base/result.ts';
import { appKey } from '../core/names.ts';
import { RestWatch } from '../core/rest-watch.ts';
import { ownTextOf } from '../../policy/fleet/merged.ts';
import { forgetFormer } from './forget.ts';
import { appPaths } from './layout.ts';
import type { Homes } from './own-apps.ts';
import { AppScans } from './scans.ts';
import { reconcileApps } from './reconcile.ts';
import type { SeenApp } from './states.ts';
import { OwnApps } from './tenant-apps.ts';

const everyMs = 30_000;

/** Returns the text of the policy file; undefined if it cannot be read. */
function textOf(file: string): string | undefined {
  const read = readPolicyFile(file);
  return read.ok ? read.value : undefined;
}

export function appPart(paths: Paths, log: Log): AgentPart {
  const loop = new AppRounds(paths, log);
  const rounds = new Rounds(
    everyMs,
    async () => {
      await loop.round();
    },
    { about: 'applications', log: (text) => log.error(text) },
  );
  const apps = new OwnApps({
    paths,
    scans: loop.scans,
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

/** Whether a program that is to run always is down, and has not failed. */
const endedByItself = ({ state, app }: SeenApp): boolean =>
  app.idleSeconds === 0 && state === 'idle';

class AppRounds {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #report: Report;
  readonly #resting = new RestWatch();
  readonly #ended = new RestWatch();
  readonly scans: AppScans;
  #hasToForget = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#report = reportOnce((text) => log.warn(text));
    this.scans = new AppScans(paths);
  }

  adopt(policy: Policy, homes: Homes): void {
    this.scans.adopt(policy, homes);
    this.#hasToForget = true;
  }

  /** Runs after the round that is running. Returns whether it has scanned the applications. */
  round(): Promise<boolean> {
    const run = this.#last.then(() => this.#once());
    this.#last = run.catch(() => {});
    return run;
  }

  async #once(): Promise<boolean> {
    const { policy, homes } = this.scans;
    if (policy === undefined) return false;
    if (this.#hasToForget) await this.#forget(policy, homes);
    if (!this.scans.hasAny(policy)) {
      this.scans.noteNone(policy);
      return true;
    }
    // A command may have applied a policy that this process has not adopted yet, or be about to.
    const isCurrent = () =>
      this.scans.policy === policy && textOf(policy.file) === ownTextOf(policy);
    const { lock } = appPaths(this.#paths);
    if (!isCurrent() || isLocked(lock)) return false;
    const seen = await this.scans.scan(policy);
    this.#report(seen);
    if (!seen.ok) return false;
    const { apps, plan } = seen.value;
    const looping = apps.filter(({ state }) => state === 'crash loop');
    const rests = this.#resting.see(
      looping.map(({ id }) => appKey(id)),
      performance.now(),
    );
    for (const each of looping.filter(({ id }) => rests.begun.has(appKey(id)))) this.#tell(each);
    const ended = this.#ended.start(
      apps.filter(endedByItself).map(({ id }) => appKey(id)),
      performance.now(),
    );
    const isDue =
      plan.changes.length > 0 ||
      plan.unreadable.length > 0 ||
      rests.over.size > 0 ||
      ended.over.size > 0 ||
      apps.some(({ state }) => state === 'not applied');
    if (!isDue) return true;
    const resting = rests.resting.union(ended.resting);
    const agent = { resting, homes, isCurrent };
    const problems = await reconcileApps(policy, this.#paths, { agent });
    const [problem] = problems;
    this.#report(problem === undefined ? ok(undefined) : fail(problem));
    return (await this.scans.scan(policy)).ok;
  }

  /** While a command changes applications, this waits for a later round. */
  async #forget(policy: Policy, homes: Homes): Promise<void> {
    const { lock } = appPaths(this.#paths);
    if (isLocked(lock)) return;
    const act = () => Promise.resolve(ok(forgetFormer(this.#paths, policy, homes)));
    const done = await underLockAsync(lock, act, 0);
    this.#hasToForget = !done.ok;
    for (const problem of done.ok ? done.value : [done.error])
      this.#log.warn(formatProblem(problem));
  }

  #tell({ owner, app, reason = 'started too often' }: SeenApp): void {
    const name = printable(`${owner.user}/${app.name}`);
    this.#log.warn(
      `Application ${name} is not started for some minutes: ${reason}; see: bulkhead app log ${name}`,
    );
  }
}
