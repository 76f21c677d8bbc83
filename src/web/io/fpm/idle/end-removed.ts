/** Ends the PHP of removed accounts at `apply`, with or without an agent, before their cgroups are removed. */
import { listSome } from '../../../../../packages/base/list.ts';
import { causedBy, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../../../host/paths.ts';
import { unitStates } from '../../../../host/systemd/systemctl.ts';
import type { Policy } from '../../../../policy/policy.ts';
import { stopServices } from '../services/bounded-stop.ts';
import { fpmReleaseBlocker } from '../release-blocker.ts';
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

/** Returns what a command would end, a line for each account. */
export async function planRemoved(_policy: Policy, paths: Paths): Promise<readonly string[]> {
  return runsSystemd() ? planRemovedNow(paths, here) : [];
}

/** Returns no line if systemd does not answer: `apply` reports that. */
export async function planRemovedNow(
  paths: Paths,
  systemd: Pick<Systemd, 'running'>,
  isRemoved?: (uid: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const units = await removedUnits(paths, systemd, isRemoved);
  if (!units.ok) return [];
  const byUid = Map.groupBy(units.value, (unit) => /@(\d+)/.exec(unit)?.[1] ?? '');
  return [...byUid].map(
    ([uid, of]) => `end ${listSome(of)}: the account of uid ${uid} was removed`,
  );
}

async function removedUnits(
  paths: Paths,
  systemd: Pick<Systemd, 'running'>,
  isRemoved?: (uid: string) => Promise<boolean>,
): Promise<Result<readonly string[], Problem>> {
  if (fpmReleaseBlocker(paths) === undefined) return ok([]);
  const running = await systemd.running(`${paths.instance}-fpm*@*`);
  return running.ok ? ok(await withoutAccount(running.value, isRemoved)) : running;
}

/** Answers why it could not. */
export async function endRemovedNow(
  paths: Paths,
  systemd: Systemd,
  isRemoved?: (uid: string) => Promise<boolean>,
): Promise<readonly Problem[]> {
  const units = await removedUnits(paths, systemd, isRemoved);
  if (!units.ok) return [problemOf(units.error)];
  if (units.value.length === 0) return [];
  const stopped = await systemd.stop(units.value);
  return stopped.ok ? [] : [problemOf(stopped.error)];
}

const problemOf = (cause: Problem): Problem => ({
  action: 'end the PHP-FPM services of accounts that were removed',
  ...causedBy(cause),
});
