/** The recorded changes of the policy, as their reader may see them: a reseller sees values of its tenants only. */
import { reaching, type ReachOf } from '../../apply/edits/changes-reaching.ts';
import { changeOfAccounts, namesOfAccount } from '../../apply/edits/account-changes.ts';
import { listChanges, readChangeTexts, type ListedChange } from '../../apply/read-changes.ts';
import { printable } from '../../../packages/base/printable.ts';
import { lineDiff } from '../../policy/changes/line-diff.ts';
import type { PolicyChange, PolicyChangesResponse } from '../api/policy-api.ts';
import { answer, refusal } from './job-answer.ts';
import { resellerWho, writtenIn, type PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer, PolicyQuestion } from './policy-job.ts';

const changesMax = 200;
const valuesMax = 100;
/** The time after which an answer leaves older changes to the next one; a client waits longer. */
const lookMilliseconds = 10_000;

/** `clock`: milliseconds. */
export function answerChanges(
  context: PolicyContext,
  { tenant, from, to, before = Infinity }: Extract<PolicyQuestion, { readonly kind: 'changes' }>,
  clock: () => number = () => performance.now(),
): PolicyJobAnswer {
  const listed = listChanges(context.paths, { from, to });
  if (!listed.ok) return refusal(503, listed.error);
  const asked = listed.value.filter(({ number }) => number < before);
  const { found, older } = lookAt(asked, visibleIn(context, tenant), clock);
  const changes = found.slice(0, changesMax);
  const next = found.length > changesMax ? changes.at(-1)?.number : older;
  return answer({
    changes: changes.map((each) => shownChange(each, context)),
    total: found.length,
    ...(next !== undefined && { older: next }),
  } satisfies PolicyChangesResponse);
}

interface LookedAt {
  readonly found: readonly ListedChange[];
  /** The number of the last change that there was time for; absent if there was for all. */
  readonly older?: number;
}

/** Looks at one change at least, so whoever goes on where this ended comes to the end. */
function lookAt(changes: readonly ListedChange[], visible: ReachOf, clock: () => number): LookedAt {
  const until = clock() + lookMilliseconds;
  const found: ListedChange[] = [];
  for (const [index, change] of changes.entries()) {
    found.push(...visible(change));
    if (clock() > until && index < changes.length - 1) return { found, older: change.number };
  }
  return { found };
}

export function answerChange(
  context: PolicyContext,
  { number, from }: Extract<PolicyQuestion, { readonly kind: 'change' }>,
): PolicyJobAnswer {
  const listed = listChanges(context.paths, { from, to: Number.MAX_SAFE_INTEGER });
  if (!listed.ok) return refusal(503, listed.error);
  const [found] = listed.value
    .filter((each) => each.number === number)
    .flatMap(visibleIn(context, undefined));
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

/** Returns what somebody sees of a change: all of it, or the values of the tenant and of its own accounts. */
function visibleIn(context: PolicyContext, tenant: string | undefined): ReachOf {
  const { paths, audience, reader } = context;
  if (audience.kind === 'administrator')
    return tenant === undefined ? (change) => [change] : reaching(tenant, paths, reader);
  const own = namesOfOwn(context);
  const names = tenant === undefined ? own : shared(own, namesOfAccount(tenant, paths));
  return (change) =>
    changeOfAccounts(change, names, paths).flatMap((each) => withoutOthers(each, own));
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
