/** Writes a change of the policy that was planned and shown before; and writes one back that nobody kept. */
import { editPolicy, replacePolicyText, type EditErrors } from '../../apply/edit.ts';
import type { WantedChange } from '../../apply/edits/wanted-change.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import {
  failed,
  formatCause,
  formatProblem,
  type Cause,
  type Problem,
} from '../../../packages/base/problem.ts';
import { keyOfText, type ChangeAuthor } from '../../store/changes/change-store.ts';
import type { Tick } from '../../usage/tick.ts';
import {
  announceGoingBack,
  forgetGoingBack,
  packTexts,
  pendingEntries,
  secondsLeftOf,
  settleGoingBack,
  timeLeft,
  textBefore,
  withoutValues,
  endGoingBack,
} from './goes-back/going-back.ts';
import type { GoingBack } from './goes-back/going-back-file.ts';
import type { WentBack } from './goes-back/goes-back.ts';
import { answer, problemOf, refusal, refused, refusedFor, type Answered } from './job-answer.ts';
import { mayEditTexts } from './plan/allowed-change.ts';
import { planChange, type MadePlan } from './plan/plan-change.ts';
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
  const waits = ownPending(context, request) ?? pendingOfRoot(context, made.value);
  return waits ?? written(context, request, made.value);
}

/** An account has one change that goes back: a second one must wait for it. */
function ownPending(
  { file, paths, author }: PolicyContext,
  { revertAfterSeconds }: ChangeRequest,
): PolicyJobAnswer | undefined {
  if (revertAfterSeconds === undefined) return undefined;
  const [found] = pendingEntries(paths, file, author.uid ?? 0);
  if (found === undefined) return undefined;
  const which = found.change === undefined ? 'your last change' : `your change ${found.change}`;
  const problem = { action, reason: `${which} goes back by itself first, unless you keep it` };
  return refusedFor(secondsLeftOf(found), 409, problem);
}

/**
 * Refuses a reseller's change that would not outlive the going back of root's change: one of the same values, or one that
 * it may make only because of root's change.
 */
function pendingOfRoot(
  context: PolicyContext,
  { before, after }: Pick<MadePlan, 'before' | 'after'>,
): PolicyJobAnswer | undefined {
  const { editor, file, paths } = context;
  if (editor.kind === 'administrator') return undefined;
  const [root] = pendingEntries(paths, file, 0);
  if (root === undefined) return undefined;
  const [was, is] = [withoutValues(before, root), withoutValues(after, root)];
  // Some changes go back only as a whole.
  const isWhole = root.afterKey === keyOfText(before) && was.conflicts.length > 0;
  const isApart = !isWhole && is.conflicts.length <= was.conflicts.length;
  if (isApart && mayEditTexts(context, was.text, is.text)) return undefined;
  const reason = 'the administrator is trying a change of the same values, or of your limits';
  return refusedFor(secondsLeftOf(root), 409, { action, reason });
}

function written(
  context: PolicyContext,
  request: ChangeRequest,
  { before, after, etagAfter: etag }: MadePlan,
): PolicyJobAnswer {
  const { reader, file, paths } = context;
  const { uid = 0 } = context.author;
  const afterKey = keyOfText(after);
  const announced = announce(context, request, before, after);
  if (!announced.ok) return refusal(503, announced.error);
  let isOther = false;
  const ifSame = (text: string): Result<string, EditErrors> => {
    isOther = text !== before;
    return isOther ? fail([changedMeanwhile(context)]) : ok(after);
  };
  const edited = editPolicy(reader, file, paths, ifSame, authorOf(context, request));
  const isMine = (each: Pick<GoingBack, 'uid' | 'afterKey'>) =>
    each.uid === uid && each.afterKey === afterKey;
  if (!edited.ok) {
    if (request.revertAfterSeconds !== undefined) forgetGoingBack(paths, isMine);
    return refusal(isOther ? 412 : 503, problemOf(edited.error));
  }
  const { change, unrecorded } = edited.value;
  const settled = settle(context, request, afterKey, change);
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
  const [texts, afterKey] = [packTexts(before, after), keyOfText(after)];
  const at = Date.now() + seconds * 1000;
  const entry = { file, texts, afterKey, at, seconds, user, uid, isWritten: false };
  return announceGoingBack(paths, entry);
}

/** Notes that the change is written; one that it undoes has nothing left that could go back. */
function settle(
  { file, paths, author }: PolicyContext,
  { change, revertAfterSeconds }: ChangeRequest,
  afterKey: string,
  number: number | undefined,
): Result<void, Problem> {
  if (change.kind === 'undo') {
    const undone = change.number;
    const isUndone = (each: GoingBack) => each.file === file && each.change === undone;
    const forgotten = forgetGoingBack(paths, isUndone);
    if (!forgotten.ok) return forgotten;
  }
  if (revertAfterSeconds === undefined) return ok(undefined);
  return settleGoingBack(paths, { uid: author.uid ?? 0, afterKey }, number);
}

function authorOf(
  { author }: PolicyContext,
  { change, comment }: Pick<ChangeRequest, 'change' | 'comment'>,
): ChangeAuthor {
  const by = author.session === undefined ? 'api' : 'console';
  const way = change.kind === 'undo' ? `${by} undo ${change.number}` : by;
  return { ...author, way, ...(comment !== undefined && { comment }) };
}

/** Takes the changes out of the policy whose time is over. One that cannot go back now does not hold up the others. */
export function goBack(context: PolicyContext): PolicyJobAnswer {
  const { file, paths } = context;
  const due = pendingEntries(paths, file).filter((each) => timeLeft(each) === 0);
  let isReplaced = false;
  const stays: string[] = [];
  const failures: string[] = [];
  for (const entry of due) {
    const gone = goBackOne(context, entry);
    if (!gone.ok) {
      failures.push(formatProblem(gone.error));
      continue;
    }
    isReplaced ||= gone.value.isReplaced;
    if (gone.value.stays !== undefined) stays.push(gone.value.stays);
  }
  return answer({ isReplaced, stays, failures } satisfies WentBack);
}

interface OneWentBack {
  readonly isReplaced: boolean;
  readonly stays: string | undefined;
}

function goBackOne(context: PolicyContext, entry: GoingBack): Result<OneWentBack, Problem> {
  const { file, paths } = context;
  let conflicts: readonly Cause[] = [];
  const edit = (now: string): Result<string, Problem> => {
    const before = textBefore(now, entry);
    if (before !== undefined) return ok(before);
    const without = withoutValues(now, entry);
    ({ conflicts } = without);
    const reason = 'the policy has errors, or would have some then';
    return [now, without.text].every((text) => isPolicy(context, text))
      ? ok(without.text)
      : failed({ action: 'write a change back in', object: file, reason, hint: 'correct it' });
  };
  const way = entry.change === undefined ? 'goes back' : `goes back ${entry.change}`;
  const replaced = replacePolicyText(file, paths, edit, way);
  if (!replaced.ok) return replaced;
  const forgotten = endGoingBack(paths, entry);
  if (!forgotten.ok) return forgotten;
  const reasons = conflicts.map(formatCause).join('; ');
  const stays = `Some of the change of ${file} by ${entry.user} stays: ${reasons}`;
  return ok({ ...replaced.value, stays: conflicts.length === 0 ? undefined : stays });
}

const isPolicy = ({ reader, file, paths }: PolicyContext, text: string): boolean =>
  reader.resolve(file, text, paths).policy !== undefined;
