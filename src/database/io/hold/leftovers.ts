/**
 * Cgroups that an agent left frozen when it was killed together with its watchdog: the next agent, an apply and a release
 * thaw them, and a plan shows them. The same holds for CPU limits that it left lowered, which every apply sets.
 */
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import type { Log } from '../../../agent/log.ts';
import type { AgentPart } from '../../../agent/part.ts';
import type { Policy } from '../../../policy/policy.ts';
import {
  forgetLowered,
  restoreAndForget,
  restoreLowered,
} from '../../../host/cgroups/lowered-quotas.ts';
import { agentLock, type Paths } from '../../../host/paths.ts';
import { isLocked } from '../../../sys/files/flock.ts';
import { frozenOf, thawAll, thawRecorded } from './record.ts';

/** A running agent thaws what it has frozen itself. */
const leftOf = (paths: Paths): readonly string[] =>
  isLocked(agentLock(paths)) ? [] : frozenOf(paths);

export const leftoversPolicy = {
  plan: (_policy: Policy, paths: Paths) =>
    leftOf(paths).map(
      (each) => `thaw ${each}, whose processes an agent that was killed left frozen`,
    ),
  apply: (_policy: Policy, paths: Paths) => {
    // All limits are set by now, maybe to others than those in the record.
    if (!isLocked(agentLock(paths))) forgetLowered(paths);
    return Promise.resolve(ok(leftOf(paths).length === 0 ? [] : thawRecorded(paths)));
  },
  release: (paths: Paths) => Promise.resolve([...thawForGood(paths), ...restoreForGood(paths)]),
};

/** The record of a running agent is for its watchdog, too. */
const thawForGood = (paths: Paths): readonly Problem[] =>
  isLocked(agentLock(paths)) ? thawAll(paths) : thawRecorded(paths);

const restoreForGood = (paths: Paths): readonly Problem[] =>
  isLocked(agentLock(paths)) ? restoreLowered(paths) : restoreAndForget(paths);

/** Thaws and restores everything that the agent before this one has left, whether or not any tenant has a limit now. */
export function thawAtStart(paths: Paths, log: Log): AgentPart {
  for (const each of [...thawRecorded(paths), ...restoreAndForget(paths)])
    log.warn(formatProblem(each));
  return {};
}
