/**
 * The part of `apply` that deals with removed accounts, also if no agent runs. Their PHP ends before their cgroup is
 * removed.
 */
import { causedBy, type Problem } from '../../../../base/problem.ts';
import { ok, type Result } from '../../../../base/result.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../../../host/paths.ts';
import { unitStates } from '../../../../host/systemd/systemctl.ts';
import type { Policy } from '../../../../policy/policy.ts';
import { stopServices } from '../bounded-stop.ts';
import { releaseObstacle } from '../release-obstacle.ts';
import { withoutAccount } from './removed-accounts.ts';

export interface Systemd {
  /** Returns units that are not stopped yet, by a pattern of names. */
  readonly running: (pattern: string) => Promise<Result<readonly string[], Problem>>;
  /** Ends them within half a minute. */
  readonly stop: (units: readonly string[]) => Promise<Result<void, Problem>>;
}

const here: Systemd = {
  async running(pattern) {
    const states = await unitStates(pattern);
    if (!states.ok) return states;
    const ended = new Set(['inactive', 'failed']);
    return ok(
      [...states.value.values()].flatMap((each) => (ended.has(each.active) ? [] : each.unit)),
    );
  },
  stop: stopServices,
};

/** Ends the services for a command. The agent has its own part for this, and must not wait here. */
export async function endRemoved(
  _policy: Policy,
  paths: Paths,
  by: 'command' | 'agent',
): Promise<Result<readonly Problem[], Problem>> {
  if (by === 'agent' || !runsSystemd()) return ok([]);
  return ok(await endRemovedNow(paths, here));
}

/** Returns why they could not be ended. */
export async function endRemovedNow(
  paths: Paths,
  systemd: Systemd,
  isRemoved?: (uid: string) => Promise<boolean>,
): Promise<readonly Problem[]> {
  if (releaseObstacle(paths) === undefined) return [];
  const running = await systemd.running(`${paths.instance}-fpm*@*`);
  if (!running.ok) return [problemOf(running.error)];
  const units = await withoutAccount(running.value, isRemoved);
  if (units.length === 0) return [];
  const stopped = await systemd.stop(units);
  return stopped.ok ? [] : [problemOf(stopped.error)];
}

const problemOf = (cause: Problem): Problem => ({
  action: 'end the PHP-FPM services of accounts that were removed',
  ...causedBy(cause),
});
