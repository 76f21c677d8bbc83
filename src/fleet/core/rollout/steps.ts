/**
 * The states of a rollout. Each record leads to the next one by a word of people, or of a controller that has seen what
 * hosts say:
 *
 *     (signed) ─start─▶ go, wave 1 ─next─▶ go, wave 2 ─next─▶ … ─next─▶ keep
 *                          │  ▲
 *                      pause  resume
 *                          ▼  │
 *                         hold, wave k           back, from all of these but "keep"
 *
 * `back` and `keep` are the end of a release: another one begins anew.
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { isAbout, type RolloutPlan } from './plan.ts';
import { verdicts, type RolloutRecord, type RolloutVerdict } from './record.ts';

export const rolloutWords = ['start', 'next', 'pause', 'resume', 'back', 'renew'] as const;
export type RolloutWord = (typeof rolloutWords)[number];

/** The next record, as far as it differs from the last one. */
export interface RolloutStep extends Pick<RolloutRecord, 'verdict' | 'wave' | 'reason'> {
  /** Whether hosts have their time from now on. */
  readonly isOpened: boolean;
}

/**
 * Returns the step that a word leads to. Only `start` and `next` are about the release that is published: the others are
 * about the one that is rolled out, so that it can be stopped whatever is published meanwhile.
 */
export function stepFor(
  word: RolloutWord,
  plan: RolloutPlan,
  last: RolloutRecord | undefined,
  reason = '',
): Result<RolloutStep, Cause> {
  if (word === 'start') return startOf(plan, last);
  const { generation } = plan.head;
  const isNext = word === 'next';
  if (last === undefined || (isNext && !isAbout(plan, last)))
    return fail({
      reason: `the rollout of generation ${generation} has not begun`,
      hint: 'run "bulkhead fleet rollout start"',
    });
  const { verdict, wave } = last;
  const rolled = last.release.generation;
  if (verdict === 'keep' && word === 'back')
    return fail({
      reason: `generation ${rolled} is confirmed, and hosts go back from it no more`,
      hint: 'sign the policy of before as a new release',
    });
  if (!leads[word].includes(verdict))
    return fail({ reason: `generation ${rolled} is in "${verdict}", wave ${wave}` });
  if (isNext) return ok(nextOf(plan, wave));
  const steps = {
    back: { verdict: 'back', wave, reason, isOpened: false },
    pause: { verdict: 'hold', wave, reason, isOpened: false },
    resume: { verdict: 'go', wave, reason, isOpened: true },
    renew: { verdict, wave, reason: last.reason, isOpened: false },
  } as const;
  return ok(steps[word]);
}

const nextOf = (plan: RolloutPlan, wave: number): RolloutStep =>
  wave < plan.waves.length
    ? { verdict: 'go', wave: nextWave(plan, wave), reason: '', isOpened: true }
    : { verdict: 'keep', wave, reason: '', isOpened: true };

/** The verdicts from which a word leads on. */
const leads: Readonly<Record<Exclude<RolloutWord, 'start'>, readonly RolloutVerdict[]>> = {
  next: ['go'],
  pause: ['go'],
  resume: ['hold'],
  back: ['go', 'hold'],
  renew: verdicts,
};

function startOf(plan: RolloutPlan, last: RolloutRecord | undefined): Result<RolloutStep, Cause> {
  const { generation } = plan.head;
  if (last === undefined || !isAbout(plan, last))
    return ok({ verdict: 'go', wave: nextWave(plan, 0), reason: '', isOpened: true });
  return last.verdict === 'back'
    ? fail({
        reason: `the fleet went back from generation ${generation}`,
        hint: 'run "bulkhead fleet sign", with "--again" for the same policy, and publish it',
      })
    : fail({ reason: `the rollout of generation ${generation} has begun already` });
}

/** Returns the next wave that has hosts; the last one always has. */
const nextWave = ({ waves }: RolloutPlan, wave: number): number =>
  waves.findIndex((hosts, index) => index >= wave && hosts.length > 0) + 1;
