/** Writes a change of the policy that was planned and shown before; and writes one back that nobody kept. */
import { editPolicy, replacePolicyText, type EditErrors } from '../../apply/edit.ts';
import type { WantedChange } from '../../apply/edits/wanted-change.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { keyOfText, type ChangeAuthor } from '../../store/changes/change-store.ts';
import type { Tick } from '../../usage/tick.ts';
import {
  announceGoingBack,
  forgetGoingBack,
  goingBackEntries,
  settleGoingBack,
  timeLeft,
} from './going-back.ts';
import { answer, problemOf, refusal, refused, type Answered } from './job-answer.ts';
import { planChange, type MadePlan } from './plan-change.ts';
import type { PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer } from './policy-job.ts';
import type { ChangeRequest } from './request-body.ts';

const action = 'change the policy';

/** Plans a change, and compares the text with the one that the caller has seen. */
export async function planOnSeen(
  context: PolicyContext,
  change: WantedChange,
  etag: string | undefined,
  tick: Tick,
): Promise<Answered<MadePlan>> {
  const made = await planChange(context, change, tick);
  if (!made.ok || etag === undefined || made.value.plan.etag === etag) return made;
  return refused(412, changedMeanwhile(context), {
    etag: made.value.plan.etag,
    plan: made.value.plan,
  });
}

const changedMeanwhile = ({ file, audience }: PolicyContext): Problem => ({
  action: 'change',
  object: audience.kind === 'administrator' ? file : 'the policy',
  reason: 'it was changed since you read it',
  hint: 'look at the new plan',
});

export async function writeChange(
  context: PolicyContext,
  request: ChangeRequest,
  etag: string | undefined,
  tick: Tick,
): Promise<PolicyJobAnswer> {
  const { planned } = request;
  if (planned === undefined || etag === undefined)
    return refusal(400, {
      action,
      reason: 'it does not say which plan of which text was seen',
      hint: 'send If-Match, and the planId of a plan as "planned"',
    });
  const made = await planOnSeen(context, request.change, etag, tick);
  if (!made.ok) return made.error;
  const { plan } = made.value;
  if (plan.planId !== planned)
    return refusal(
      409,
      {
        action,
        reason: 'it would do something else now than was shown',
        hint: 'look at the new plan',
      },
      { etag: plan.etag, plan },
    );
  if (plan.isEmpty) return { ...answer({}), written: { isSame: true, etag } };
  if (isRootsPending(context, etag))
    return refusal(409, {
      action,
      reason: 'the administrator is trying a change, which yours would make permanent',
      hint: 'retry later',
    });
  return written(context, request, made.value);
}

/** Whether root's change goes back by itself: any other change would cancel that, and only root may. */
const isRootsPending = ({ editor, file, paths }: PolicyContext, etag: string): boolean =>
  editor.kind !== 'administrator' &&
  goingBackEntries(paths).some(
    (each) => each.uid === 0 && each.file === file && each.afterKey === etag,
  );

function written(
  context: PolicyContext,
  request: ChangeRequest,
  { before, after }: MadePlan,
): PolicyJobAnswer {
  const { reader, file, paths } = context;
  const etag = keyOfText(after);
  const announced = announce(context, request, before, after);
  if (!announced.ok) return refusal(503, announced.error);
  let isOther = false;
  const ifSame = (text: string): Result<string, EditErrors> => {
    isOther = text !== before;
    return isOther ? fail([changedMeanwhile(context)]) : ok(after);
  };
  const edited = editPolicy(reader, file, paths, ifSame, authorOf(context, request));
  if (!edited.ok) {
    settleGoingBack(paths, keyOfText(before), undefined);
    return refusal(isOther ? 412 : 503, problemOf(edited.error));
  }
  const { change, unrecorded } = edited.value;
  const settled = settleGoingBack(paths, etag, change);
  const problems = [unrecorded, settled.ok ? undefined : settled.error];
  const failures = problems.flatMap((each) => (each === undefined ? [] : [formatProblem(each)]));
  const numbered = change !== undefined && { change };
  return { ...answer({ failures }), written: { isSame: false, etag, ...numbered } };
}

function announce(
  { file, paths, author }: PolicyContext,
  { revertAfterSeconds: seconds }: ChangeRequest,
  before: string,
  after: string,
): Result<void, Problem> {
  if (seconds === undefined) return ok(undefined);
  const { uid = 0, user = `uid ${uid}` } = author;
  const keys = { beforeKey: keyOfText(before), afterKey: keyOfText(after) };
  const at = Date.now() + seconds * 1000;
  return announceGoingBack(paths, { file, before, ...keys, at, seconds, user, uid });
}

function authorOf(
  { author }: PolicyContext,
  { change, comment }: Pick<ChangeRequest, 'change' | 'comment'>,
): ChangeAuthor {
  const by = author.session === undefined ? 'api' : 'console';
  const way = change.kind === 'undo' ? `${by} undo ${change.number}` : by;
  return { ...author, way, ...(comment !== undefined && { comment }) };
}

/** Writes the text before a change back, if its time is over and the policy still has its text. */
export function goBack({ file, paths }: PolicyContext): PolicyJobAnswer {
  const due = goingBackEntries(paths).filter((each) => each.file === file && timeLeft(each) === 0);
  for (const { afterKey, before, change } of due) {
    const isCurrent = (text: string) => keyOfText(text) === afterKey;
    const way = change === undefined ? 'goes back' : `goes back ${change}`;
    const replaced = replacePolicyText(file, paths, { isCurrent, text: before }, way);
    if (!replaced.ok) return refusal(503, replaced.error);
    if (!replaced.value.isReplaced) continue;
    const forgotten = forgetGoingBack(paths);
    return forgotten.ok ? answer({ isReplaced: true }) : refusal(503, forgotten.error);
  }
  return answer({ isReplaced: false });
}
