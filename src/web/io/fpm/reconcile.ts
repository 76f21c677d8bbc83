/** Plans and applies under a lock, until nothing is left to do: a panel may have written a pool meanwhile. */
import { existsSync, mkdirSync } from 'node:fs';
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { lockFile } from '../../../sys/files/flock.ts';
import { readTextFile } from '../../../sys/files/text-file.ts';
import { nobody, parseChoice, type ServiceChoice } from '../../core/fpm/service/choice.ts';
import { applyFpmPlan, type FpmCaller } from './apply-plan.ts';
import type { FpmLayout } from './layout.ts';
import type { FpmContext } from './context.ts';
import { recordOutcome, type SplitOutcome } from './failures/outcome.ts';
import { isDone, planFpm, type FpmPlan, type PlanOptions } from './plan.ts';
import { readDistribution } from './services/distribution.ts';

const roundsMax = 3;

export function readServiceChoice({ choice }: FpmLayout): Result<ServiceChoice, Problem> {
  if (!existsSync(choice)) return ok(nobody);
  const decode = (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8'));
  const read = readTextFile(choice, { bytesMax: 2 ** 20, decode }, 'trusted');
  if (!read.ok) return read;
  const parsed = parseChoice(read.value);
  if (!('badLine' in parsed)) return ok(parsed);
  const reason = `line ${parsed.badLine} is not understood`;
  return failed({ action: 'read', object: choice, reason, hint: 'correct it, or remove it' });
}

export interface Wish {
  /** Returns the new choice, given the one in force. */
  readonly choose: (choice: ServiceChoice) => ServiceChoice;
  /** Returns why nothing at all may be changed, if there is a reason. */
  readonly objection?: (plan: FpmPlan) => Problem | undefined;
  readonly dryRun?: boolean;
}

/** Returns the first plan, which shows what was changed. The outcome is recorded for the agent and `doctor`. */
export async function reconcile(
  context: FpmContext,
  wish: Wish,
  moment: FpmCaller,
  options?: PlanOptions,
): Promise<Result<FpmPlan, Problem>> {
  const record = (outcome: SplitOutcome) => {
    if (wish.dryRun !== true) recordOutcome(context.paths, context.fpm.php, outcome);
  };
  // A person sees the output of a command, and what was in force before has not changed.
  const isAsked = moment === 'command';
  if (!isAsked) record({ begun: true });
  const done = await reconcileNow(context, wish, moment, options);
  if (done.ok)
    record({ refused: done.value.refused.map(({ user, reason }) => ({ user, reason })) });
  else if (!isAsked) record({ problem: formatProblem(done.error) });
  return done;
}

async function reconcileNow(
  context: FpmContext,
  { choose, objection, dryRun = false }: Wish,
  moment: FpmCaller,
  options?: PlanOptions,
): Promise<Result<FpmPlan, Problem>> {
  const choice = readServiceChoice(context.layout);
  if (!choice.ok) return choice;
  const wanted = choose(choice.value);
  const first = await planFpm(context, wanted, options);
  if (!first.ok) return first;
  const against = objection?.(first.value);
  if (against !== undefined) return fail(against);
  if (dryRun) {
    const distribution = isDone(first.value)
      ? undefined
      : await readDistribution(first.value, context.layout);
    return distribution?.ok === false ? distribution : first;
  }
  let plan = first.value;
  // After a reload there may be no more to do than to let go of the paths that were held.
  const isNeeded = (round: number) => !isDone(plan) || (moment === 'reloaded' && round === 0);
  for (let round = 0; round < roundsMax && isNeeded(round); round++) {
    const done = await applyFpmPlan(plan, context.layout, moment);
    if (!done.ok) return done;
    if (moment !== 'command') break;
    const next = await planFpm(context, wanted, options);
    if (!next.ok) return next;
    plan = next.value;
  }
  return first;
}

/**
 * Locks a PHP version. Callers that do not get the lock do nothing: the run that has it tells the distribution's
 * service afterwards.
 */
export function lockFpm({ lock, instance }: FpmLayout, waitMs: number) {
  mkdirSync(`/run/${instance}`, { recursive: true, mode: 0o755 });
  return lockFile(lock, { waitMs });
}
