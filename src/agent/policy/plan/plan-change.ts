/** Plans a change of the policy: its lines, its values, the kernel's settings, and who is affected. */
import { changedBetween } from '../../../apply/change-record.ts';
import { planPolicy } from '../../../apply/apply.ts';
import { tryPolicyEdit, type EditedPolicy, type EditErrors } from '../../../apply/edit.ts';
import type { WantedChange } from '../../../apply/edits/wanted-change.ts';
import { planParts } from '../../../apply/parts.ts';
import { isInside, resellerCgroup, tenantCgroup } from '../../../plan/wanted.ts';
import type { Operation } from '../../../plan/operations.ts';
import { lineDiff, type DiffHunk } from '../../../policy/changes/line-diff.ts';
import type { Delegation, WrittenPolicy } from '../../../policy/rights/may-edit.ts';
import type { Policy } from '../../../policy/policy.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import { isDeepStrictEqual } from 'node:util';
import { keyOfText } from '../../../store/changes/change-store.ts';
import type { Tick } from '../../../usage/tick.ts';
import type { PolicyOperation, PolicyPlan, PolicyWarning } from '../../api/policy-api.ts';
import { MemberIndex, type MemberEntry } from '../../sampling/member-index.ts';
import { problemOf, refused, type Answered } from '../job-answer.ts';
import { etagFor, ownText } from '../policy-document.ts';
import { cannotUndo, editAsAsked, whetherAllowed } from './allowed-change.ts';
import { describeLine, describeOperation, withoutHost } from './plan-operations.ts';
import { namesMax, warningsOf } from './plan-warnings.ts';
import { resellerWho, writtenIn, type PolicyContext } from '../policy-context.ts';

const operationsMax = 200;
const diffLinesMax = 2_000;
const diagnosticsMax = 100;

export interface MadePlan {
  readonly plan: PolicyPlan;
  readonly before: string;
  readonly after: string;
  /** The ETag of the text after, for whoever asks. */
  readonly etagAfter: string;
}

export async function planChange(
  context: PolicyContext,
  change: WantedChange,
  tick: Tick,
): Promise<Answered<MadePlan>> {
  const { reader, file, paths } = context;
  const tried = tryPolicyEdit(reader, file, paths, (text, now) =>
    editAsAsked(text, now, change, context),
  );
  if (!tried.ok) return notPlanned(context, change, tried.error);
  const { before: was, after: is } = tried.value.loaded();
  const [before, after] = [writtenIn(was), writtenIn(is)];
  const allowed = whetherAllowed(context, before, after);
  if (!allowed.ok) return allowed;
  const own = resellerWho(context, before);
  const texts = tried.value;
  const etags = {
    before: etagFor(texts.before, was, own),
    after: etagFor(texts.after, is, resellerWho(context, after)),
  };
  const plan = await planOf(context, texts, { before, after, own, etags, tick });
  return ok({ plan, before: texts.before, after: texts.after, etagAfter: etags.after });
}

/** Explains why there is no plan: for a text, with the places of its errors. */
function notPlanned(
  { reader, file, paths, audience }: PolicyContext,
  change: WantedChange,
  errors: EditErrors,
): Answered<never> {
  // The values of a tenant that has another reseller now would be in the reasons.
  if (change.kind === 'undo' && audience.kind === 'reseller')
    return refused(400, { action: 'undo the change', reason: cannotUndo });
  const more =
    change.kind === 'text' && audience.kind === 'administrator'
      ? {
          diagnostics: reader
            .resolve(file, change.text, paths)
            .diagnostics.slice(0, diagnosticsMax),
        }
      : {};
  return refused(400, problemOf(errors), more);
}

interface Texts {
  readonly before: WrittenPolicy | undefined;
  readonly after: WrittenPolicy | undefined;
  /** The reseller who asks. */
  readonly own: Delegation | undefined;
  readonly etags: Etags;
  readonly tick: Tick;
}

interface Etags {
  readonly before: string;
  readonly after: string;
}

async function planOf(
  context: PolicyContext,
  { before, after, news }: EditedPolicy,
  { before: was, after: is, own, etags, tick }: Texts,
): Promise<PolicyPlan> {
  const isEmpty = before === after;
  const [old, now] = [new MemberIndex(was?.policy), new MemberIndex(is?.policy)];
  const isShown = (entry: MemberEntry) => own === undefined || isOf(own.reseller.uid, entry);
  const kernel = isEmpty || is === undefined ? nothing : await kernelPlan(context, is.policy, own);
  const tenants = isEmpty ? [] : changedMembers(old, now).filter(isShown);
  const diagnostics = own === undefined ? news().slice(0, diagnosticsMax) : [];
  const compared = { before: old, after: now, tick, showsHost: own === undefined, isShown };
  const warnings = isEmpty ? [] : [...kernel.warnings, ...warningsOf(compared, diagnostics)];
  const { count: valueCount = 0, values = [] } = changedBetween(before, after).changed ?? {};
  const names = tenants.filter(({ who }) => who.kind === 'tenant').map(({ who }) => who.name);
  const shown = {
    etag: etags.before,
    isEmpty,
    diff: cut(own === undefined ? lineDiff(before, after) : diffOf(own, was, is)),
    values,
    valueCount,
    diagnostics,
    operations: kernel.operations.slice(0, operationsMax),
    operationCount: kernel.operations.length,
    tenants: names.slice(0, namesMax),
    tenantCount: names.length,
    warnings,
  };
  const isWide = values.some(
    ({ element, accounts }) => accounts.length === 0 || isReseller(element),
  );
  const hurts = warnings.some(({ kind }) => kind === 'memory' || kind === 'removed');
  const risky = isWide || hurts || names.length > namesMax;
  return { planId: planIdOf(etags, kernel.operations), ...shown, risky };
}

const isReseller = (element: string) => element.startsWith('reseller ');

/** The hash of what a plan shows to somebody, without what changes by itself from one moment to the next. */
const planIdOf = ({ before, after }: Etags, operations: readonly PolicyOperation[]): string =>
  keyOfText(
    JSON.stringify([
      before,
      after,
      operations.map(({ who, setting, to, text }) => [who, setting, to ?? text.split(' (')[0]]),
    ]),
  );

interface KernelPlan {
  readonly operations: readonly PolicyOperation[];
  readonly warnings: readonly PolicyWarning[];
}

const nothing: KernelPlan = { operations: [], warnings: [] };

async function kernelPlan(
  { host, capabilities, paths }: PolicyContext,
  policy: Policy,
  own: Delegation | undefined,
): Promise<KernelPlan> {
  const driver = host.probe(policy.driver);
  if (!driver.ok) {
    const unknown = 'What changes in the kernel is not known';
    const text = own === undefined ? `${unknown}: ${formatProblem(driver.error)}` : unknown;
    return { ...nothing, warnings: [{ kind: 'policy', tenants: [], tenantCount: 0, text }] };
  }
  using probed = driver.value;
  const all = planPolicy(policy, probed).operations;
  if (own !== undefined)
    return { ...nothing, operations: withoutHost(ofReseller(all, own, policy)) };
  const lines = await planParts(capabilities, policy, paths);
  return {
    ...nothing,
    operations: [...all.flatMap(describeOperation), ...lines.map(describeLine)],
  };
}

/** Returns the operations that concern the reseller's tenants. */
function ofReseller(
  operations: readonly Operation[],
  { reseller }: Delegation,
  { tenants }: Policy,
): readonly Operation[] {
  const own = tenants.filter((each) => each.reseller === reseller.uid);
  const places = [resellerCgroup(reseller.uid), ...own.map(tenantCgroup)];
  const uids = new Set(own.map(({ uid }) => uid));
  return operations.filter((each) => {
    if (each.kind === 'quota') return uids.has(each.uid);
    if (!('cgroup' in each)) return false;
    return places.some((place) => each.cgroup === place || isInside(each.cgroup, place));
  });
}

const isOf = (reseller: number, { who, resellerUid }: MemberEntry) =>
  resellerUid === reseller || (who.kind === 'reseller' && who.uid === reseller);

/** Returns the members whose limits or package differ, as they will be, or as they were. */
function changedMembers(before: MemberIndex, after: MemberIndex): readonly MemberEntry[] {
  const changed = [...after.entries.values()].filter((now) => {
    const old = before.entries.get(now.who.member);
    return (
      old === undefined ||
      old.who.package !== now.who.package ||
      !isDeepStrictEqual(old.given.texts, now.given.texts)
    );
  });
  const gone = [...before.entries.values()].filter(({ who }) => !after.entries.has(who.member));
  return [...changed, ...gone];
}

/** Compares the reseller's own element: other lines are not for its eyes. */
function diffOf(
  own: Delegation,
  was: WrittenPolicy | undefined,
  after: WrittenPolicy | undefined,
): readonly DiffHunk[] {
  const now = after?.document.resellers.find(({ name }) =>
    isDeepStrictEqual(name.value, own.element.name.value),
  );
  if (was === undefined || after === undefined || now === undefined) return [];
  return lineDiff(ownText(was.document.text, own.element), ownText(after.document.text, now));
}

/** Returns at most so many lines of hunks. */
function cut(hunks: readonly DiffHunk[]): readonly DiffHunk[] {
  let left = diffLinesMax;
  return hunks.flatMap(({ line, lines }) => {
    const shown = lines.slice(0, left);
    left -= shown.length;
    return shown.length === 0 ? [] : [{ line, lines: shown }];
  });
}
