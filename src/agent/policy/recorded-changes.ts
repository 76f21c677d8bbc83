/** The recorded changes of the policy, as their reader may see them: a reseller sees values of its tenants only. */
import { changesReaching } from '../../apply/edits/changes-reaching.ts';
import { changesOfAccounts, namesOfAccount } from '../../apply/edits/account-changes.ts';
import { listChanges, readChangeTexts, type ListedChange } from '../../apply/read-changes.ts';
import { printable } from '../../../packages/base/printable.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { lineDiff } from '../../policy/changes/line-diff.ts';
import type { PolicyChange, PolicyChangesResponse } from '../api/policy-api.ts';
import { answer, refusal } from './job-answer.ts';
import { resellerWho, writtenIn, type PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer, PolicyQuestion } from './policy-job.ts';

const changesMax = 200;
const valuesMax = 100;

export function answerChanges(
  context: PolicyContext,
  { tenant, from, to }: Extract<PolicyQuestion, { readonly kind: 'changes' }>,
): PolicyJobAnswer {
  const listed = visibleChanges(context, { from, to }, tenant);
  if (!listed.ok) return refusal(503, listed.error);
  const changes = listed.value.slice(0, changesMax).map((each) => shownChange(each, context));
  return answer({ changes, total: listed.value.length } satisfies PolicyChangesResponse);
}

export function answerChange(
  context: PolicyContext,
  { number, from }: Extract<PolicyQuestion, { readonly kind: 'change' }>,
): PolicyJobAnswer {
  const listed = visibleChanges(context, { from, to: Number.MAX_SAFE_INTEGER });
  if (!listed.ok) return refusal(503, listed.error);
  const found = listed.value.find((each) => each.number === number);
  if (found === undefined)
    return refusal(404, {
      action: 'find change',
      object: `${number}`,
      reason: 'there is none that you may see',
    });
  const texts = readChangeTexts(context.paths, number);
  const isShown = context.audience.kind === 'administrator' && texts.ok;
  const diff = isShown ? { diff: lineDiff(texts.value.before, texts.value.after) } : {};
  return answer({ ...shownChange(found, context), ...diff });
}

interface Period {
  readonly from: number;
  readonly to: number;
}

function visibleChanges(
  context: PolicyContext,
  period: Period,
  tenant?: string,
): Result<readonly ListedChange[], Problem> {
  const { paths, audience } = context;
  const listed = listChanges(paths, period);
  if (!listed.ok) return listed;
  const wanted = tenant === undefined ? undefined : namesOfAccount(tenant, paths);
  const own = audience.kind === 'administrator' ? undefined : namesOfOwn(context);
  const names = own === undefined || wanted === undefined ? (own ?? wanted) : shared(own, wanted);
  if (names === undefined) return ok(listed.value);
  if (own === undefined && tenant !== undefined)
    return ok(changesReaching(listed.value, tenant, paths, context.reader));
  const found = changesOfAccounts(listed.value, names, paths);
  return ok(own === undefined ? found : found.flatMap((each) => withoutOthers(each, own)));
}

/** A tenant may have been another reseller's: values that name one are left out. */
function withoutOthers(
  { changed, ...change }: ListedChange,
  own: readonly string[],
): readonly ListedChange[] {
  const values = (changed?.values ?? []).filter(({ accounts }) =>
    accounts.every((each) => own.includes(each)),
  );
  return values.length === 0 ? [] : [{ ...change, changed: { count: values.length, values } }];
}

const shared = (one: readonly string[], other: readonly string[]) =>
  one.filter((each) => other.includes(each));

/** Returns the names of the reseller who asks, and of its tenants. */
function namesOfOwn(context: PolicyContext): readonly string[] {
  const { reader, file, paths } = context;
  const written = writtenIn(reader.load(file, paths));
  const own = resellerWho(context, written);
  if (written === undefined || own === undefined) return [];
  const tenants = written.policy.tenants.filter(({ reseller }) => reseller === own.reseller.uid);
  return [own.reseller, ...tenants].flatMap(({ uid, account }) => [
    `${uid}`,
    ...(account === undefined ? [] : [account.user]),
  ]);
}

function shownChange(change: ListedChange, { audience }: PolicyContext): PolicyChange {
  const { number, at, way, uid, user, session, loginBy, comment, changed, outcome } = change;
  const isOthers = audience.kind === 'reseller' && uid !== audience.uid;
  const author = isOthers ? { user: 'administrator' } : { uid, user, session, loginBy, comment };
  return {
    number,
    at,
    by: byOf(change),
    way: isOthers ? 'by the administrator' : printable(way),
    ...Object.fromEntries(Object.entries(author).filter(([, value]) => value !== undefined)),
    ...(changed && { values: changed.values.slice(0, valuesMax), valueCount: changed.count }),
    outcome,
    problems: audience.kind === 'reseller' ? [] : change.problems,
  };
}

function byOf({ way, session }: ListedChange): PolicyChange['by'] {
  if (way === 'by hand') return 'hand';
  if (way.startsWith('goes back')) return 'itself';
  return session === undefined ? 'command' : 'console';
}
