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

export function stepFor(
  word: RolloutWord,
  plan: RolloutPlan,
  last: RolloutRecord | undefined,
  reason = '',
): Result<RolloutStep, Cause> {
  const { generation } = plan.head;
  const current = last !== undefined && isAbout(plan, last) ? last : undefined;
  if (word === 'start') return startOf(plan, current);
  if (word === 'renew' && last !== undefined) return ok({ ...same(last), isOpened: false });
  if (current === undefined)
    return fail({
      reason: `the rollout of generation ${generation} has not begun`,
      hint: 'run "bulkhead fleet rollout start"',
    });
  return after(word, plan, current, reason);
}

/** Returns what follows from a record about this release. */
function after(
  word: Exclude<RolloutWord, 'start'>,
  plan: RolloutPlan,
  current: RolloutRecord,
  reason: string,
): Result<RolloutStep, Cause> {
  const { verdict, wave } = current;
  const { generation } = plan.head;
  const from = leads[word];
  if (verdict === 'keep' && word === 'back')
    return fail({
      reason: `generation ${generation} is confirmed, and hosts go back from it no more`,
      hint: 'sign the policy of before as a new release',
    });
  if (!from.includes(verdict))
    return fail({ reason: `generation ${generation} is in "${verdict}", wave ${wave}` });
  switch (word) {
    case 'next':
      return ok(
        wave < plan.waves.length
          ? { verdict: 'go', wave: nextWave(plan, wave), reason, isOpened: true }
          : { verdict: 'keep', wave, reason, isOpened: true },
      );
    case 'pause':
      return ok({ verdict: 'hold', wave, reason, isOpened: false });
    case 'resume':
      return ok({ verdict: 'go', wave, reason, isOpened: true });
    case 'back':
      return ok({ verdict: 'back', wave, reason, isOpened: false });
    case 'renew':
      return ok({ ...same(current), isOpened: false });
  }
}

/** The verdicts from which a word leads on. */
const leads: Readonly<Record<Exclude<RolloutWord, 'start'>, readonly RolloutVerdict[]>> = {
  next: ['go'],
  pause: ['go'],
  resume: ['hold'],
  back: ['go', 'hold'],
  renew: verdicts,
};

const same = ({ verdict, wave, reason }: RolloutRecord) => ({ verdict, wave, reason });

function startOf(
  plan: RolloutPlan,
  current: RolloutRecord | undefined,
): Result<RolloutStep, Cause> {
  const { generation } = plan.head;
  if (current === undefined)
    return ok({ verdict: 'go', wave: nextWave(plan, 0), reason: '', isOpened: true });
  return current.verdict === 'back'
    ? fail({
        reason: `the fleet went back from generation ${generation}`,
        hint: 'run "bulkhead fleet sign", with "--again" for the same policy, and publish it',
      })
    : fail({ reason: `the rollout of generation ${generation} has begun already` });
}

/** Returns the next wave that has hosts; the last one always has. */
const nextWave = ({ waves }: RolloutPlan, wave: number): number =>
  waves.findIndex((hosts, index) => index >= wave && hosts.length > 0) + 1;
