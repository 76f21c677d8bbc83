/**
 * Decides whether somebody may make a change of the policy, by what changed and not by what was asked for.
 *
 * Root may make every change. A reseller may change the elements of its tenants inside its own element, as far as
 * `<reseller may>` says: limits, and which package they have. Outside its element not one character differs. The kernel
 * keeps its tenants together within its own limits, whatever they have; only quotas and shares of database servers have
 * no sum in the kernel, and the rates of disks on cgroup v1, so their sums are checked here.
 */
import { formatQuantity, unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import { comparePolicies, fingerprint, type PolicyChange } from '../changes/compare.ts';
import type {
  PackageElement,
  PolicyDocument,
  PolicyRight,
  ResellerElement,
  TenantName,
} from '../document.ts';
import { countsDatabases, databaseCountsOriginOf } from '../databases/counted-cpu.ts';
import { listenOriginOf, reachOriginOf } from '../network/reach-origins.ts';
import { listenOf, reachOf, type ListenElement, type ReachElement } from '../network/reach.ts';
import {
  databaseInstanceOriginOf,
  delegatesOf,
  givenLimits,
  hasOwnDatabase,
  jailOriginOf,
  nameOf,
  ownAppsMaxOf,
  valuesOf,
  type Identity,
  type Link,
  type Policy,
  type Reseller,
  type Tenant,
} from '../policy.ts';
import { limitNames } from '../vocabulary.ts';

/** Whoever wants to change the policy. */
export type PolicyEditor =
  | { readonly kind: 'administrator' }
  | { readonly kind: 'reseller'; readonly uid: number }
  /** Somebody who may change nothing. */
  | { readonly kind: 'reader'; readonly reason: string };

/** A policy without errors, and the text that it was written in. */
export interface WrittenPolicy {
  readonly document: PolicyDocument;
  readonly policy: Policy;
}

export interface EditFacts {
  /** Whether the kernel limits what all tenants of a reseller together read from and write to disks. */
  readonly boundsSumOfIo: boolean;
}

/** Returns why the editor may not make the change, if it may not. */
export function mayEdit(
  editor: PolicyEditor,
  before: WrittenPolicy,
  after: WrittenPolicy,
  facts: EditFacts,
): Result<void, Cause> {
  switch (editor.kind) {
    case 'administrator':
      return ok(undefined);
    case 'reader':
      return fail({ reason: editor.reason });
    case 'reseller':
      return resellerMayEdit(editor.uid, before, after, facts);
  }
}

/** Returns the element of a reseller, and what the policy lets it change. */
export function delegationOf(
  uid: number,
  { document, policy }: WrittenPolicy,
): Delegation | undefined {
  const reseller = policy.resellers.find((each) => each.uid === uid);
  const element =
    reseller && document.resellers.find(({ name }) => isNamedBy(name.value, reseller));
  return reseller && element && { reseller, element, rights: reseller.may?.value ?? [] };
}

export interface Delegation {
  readonly reseller: Reseller;
  readonly element: ResellerElement;
  readonly rights: readonly PolicyRight[];
}

const isNamedBy = (name: TenantName, { uid, account }: Identity): boolean =>
  name.kind === 'uid' ? name.uid === uid : name.user === account?.user;

/** Whether a reseller may give a package, as far as the package says. */
export const isGivenBy = (element: PackageElement, reseller: Identity): boolean =>
  element.for === undefined || isFor(element, reseller);

const isFor = (element: PackageElement, { uid, account }: Identity): boolean =>
  element.for?.some(({ value }) => value === account?.user || value === `${uid}`) === true;

function resellerMayEdit(
  uid: number,
  before: WrittenPolicy,
  after: WrittenPolicy,
  facts: EditFacts,
): Result<void, Cause> {
  const own = delegationOf(uid, before);
  const now = delegationOf(uid, after);
  if (own === undefined || own.rights.length === 0)
    return fail({ reason: 'the policy does not let you change it', hint: askAdministrator });
  if (now === undefined || !isSameAround(before.document, own, after.document, now))
    return fail({ reason: 'it would change what is not in your element' });
  for (const change of comparePolicies(own.element.xml, now.element.xml)) {
    const right = rightFor(change);
    if (right === undefined)
      return fail({ reason: 'you may only change limits and packages of your tenants' });
    if (!own.rights.includes(right))
      return fail({
        reason: `the policy does not let you change ${right} of your tenants`,
        hint: askAdministrator,
      });
  }
  const cause = changedTenants(own, before, now, after)
    .map((each) => whyNot(each, after.document))
    .find((each) => each !== undefined);
  if (cause !== undefined) return fail(cause);
  return sumsWithin(now.reseller, before.policy, after.policy, facts);
}

const askAdministrator = 'ask the administrator';

/** Whether the texts outside the reseller's element are the same. */
const isSameAround = (
  before: PolicyDocument,
  { element: own }: Delegation,
  after: PolicyDocument,
  { element: now }: Delegation,
): boolean =>
  before.text.slice(0, own.start) === after.text.slice(0, now.start) &&
  before.text.slice(own.end) === after.text.slice(now.end);

/** Returns the right that a change inside a reseller's element needs; undefined if no right suffices. */
function rightFor(change: PolicyChange): PolicyRight | undefined {
  const [tenant, limit, ...deeper] = change.path;
  if (tenant?.name !== 'tenant' || deeper.length > 0) return undefined;
  if (limit === undefined)
    return change.kind === 'set' && change.attribute === 'package' ? 'packages' : undefined;
  return change.kind !== 'order' && limitNames.has(limit.name) ? 'limits' : undefined;
}

/** A tenant of a reseller before and after a change of its limits or its package. */
interface ChangedTenant {
  readonly was: Tenant;
  readonly is: Tenant;
  readonly reseller: Reseller;
}

/** Returns the reseller's tenants whose elements differ. */
function changedTenants(
  own: Delegation,
  before: WrittenPolicy,
  now: Delegation,
  after: WrittenPolicy,
): readonly ChangedTenant[] {
  const printOf = ({ element }: Delegation) =>
    new Map(element.tenants.map(({ name, xml }) => [nameKey(name.value), fingerprint(xml)]));
  const [old, current] = [printOf(own), printOf(now)];
  const was = new Map(before.policy.tenants.map((each) => [each.uid, each]));
  return after.policy.tenants.flatMap((is): readonly ChangedTenant[] => {
    if (is.reseller !== own.reseller.uid) return [];
    const keys = [`uid ${is.uid}`, ...(is.account ? [`user ${is.account.user}`] : [])];
    if (keys.every((key) => old.get(key) === current.get(key))) return [];
    const earlier = was.get(is.uid);
    return earlier === undefined ? [] : [{ was: earlier, is, reseller: now.reseller }];
  });
}

const nameKey = (name: TenantName): string =>
  name.kind === 'uid' ? `uid ${name.uid}` : `user ${name.user}`;

function whyNot(changed: ChangedTenant, document: PolicyDocument): Cause | undefined {
  return packageProblem(changed, document) ?? databaseProblem(changed) ?? boundProblem(changed);
}

function packageProblem(
  { was, is, reseller }: ChangedTenant,
  document: PolicyDocument,
): Cause | undefined {
  if (was.package === is.package) return undefined;
  const element = document.packages.find(({ name }) => name.value === is.package);
  if (element !== undefined && !isGivenBy(element, reseller))
    return { reason: `you may not give the package "${is.package}"`, hint: askAdministrator };
  if (element !== undefined && isFor(element, reseller)) return undefined;
  if (isSameBesidesLimits(was, is)) return undefined;
  return {
    reason: `another package would change more than limits of ${nameOf(is)}, such as its jail`,
    hint: askAdministrator,
  };
}

/** Whether both have the same jail, reach, open ports, applications, setters of sites' limits, and kind of database server. */
const isSameBesidesLimits = (was: Tenant, is: Tenant): boolean =>
  besidesLimits(was) === besidesLimits(is);

function besidesLimits({ chain }: Tenant): string {
  const jail = jailOriginOf(chain)?.at;
  const { profile, paths, commands, databases } = jail ?? {};
  const seen = [profile?.value, paths, commands, databases];
  const rules = [reachOriginOf(chain)?.at, listenOriginOf(chain)?.at];
  return JSON.stringify([
    seen,
    rules.map((each) => each && contentOf(each)),
    ownAppsMaxOf({ chain }),
    delegatesOf({ chain }),
    hasOwnDatabase({ chain }),
    countsDatabases({ chain }),
  ]);
}

/** Returns what the element says, without its places in the text. */
const contentOf = (element: ReachElement | ListenElement) =>
  'rules' in element ? reachOf(element) : listenOf(element);

/** Resellers change limits. They give a server, or have its CPU time count, only by a package that does. */
function databaseProblem({ was, is }: ChangedTenant): Cause | undefined {
  const what =
    ownInstance(was) !== ownInstance(is)
      ? 'which database server'
      : ownCounts(was) !== ownCounts(is)
        ? 'whether the CPU time of database servers counts toward the limit that'
        : undefined;
  if (what === undefined) return undefined;
  return { reason: `you may not change ${what} ${nameOf(is)} has`, hint: askAdministrator };
}

const ownInstance = ({ chain }: Tenant): string | undefined =>
  databaseInstanceOriginOf(chain.filter(isOwn))?.at.value;
const ownCounts = ({ chain }: Tenant): string | undefined =>
  databaseCountsOriginOf(chain.filter(isOwn))?.at.value;

/** Returns the first limit that is higher than the reseller may give. */
function boundProblem({ was, is, reseller }: ChangedTenant): Cause | undefined {
  const [old, now] = [givenLimits(was), givenLimits(is)];
  const [own, inherited] = [is.chain.filter(isOwn), valuesOf(is.chain.filter(isNotOwn))];
  const bounds = givenLimits(reseller);
  for (const key of Object.keys(now) as LimitKey[]) {
    const { kind, fallback, isGuarantee } = limitAttribute(key);
    const value = now[key] ?? fallback;
    if (old[key] === value || kind === 'weight') continue;
    const isWrittenHere = own.some(({ written }) => written.has(key));
    // An inherited "unlimited" only means that the reseller's own limit applies.
    if (!isWrittenHere && (isGuarantee === true || value === unlimited)) continue;
    const given = inherited[key] ?? fallback;
    const bound = isGuarantee === true ? given : (bounds[key] ?? (isWrittenHere ? given : value));
    if (!isAbove(value, bound)) continue;
    const whose = bounds[key] === undefined || isGuarantee === true ? 'what it inherits' : 'yours';
    return {
      reason: `${key.replace('.', ' ')} of ${nameOf(is)} would be ${formatQuantity(kind, value)}, which is above ${whose}: ${formatQuantity(kind, bound)}`,
    };
  }
  return undefined;
}

const isOwn = ({ kind }: Link) => kind === 'tenant';
const isNotOwn = (link: Link) => !isOwn(link);

const isAbove = (value: Quantity, bound: Quantity): boolean =>
  bound !== unlimited && (value === unlimited || value > bound);

/** Returns why the sum of a limit is above the reseller's, and higher than before, where the kernel does not bound it. */
function sumsWithin(
  reseller: Reseller,
  before: Policy,
  after: Policy,
  { boundsSumOfIo }: EditFacts,
): Result<void, Cause> {
  const bounds = givenLimits(reseller);
  for (const key of Object.keys(bounds) as LimitKey[]) {
    const { kind, limit } = limitAttribute(key);
    if (!isSummedHere(key) && (limit.name !== 'io' || boundsSumOfIo)) continue;
    const bound = bounds[key] ?? unlimited;
    if (bound === unlimited) continue;
    const [was, is] = [before, after].map((each) => sumOf(key, reseller.uid, each));
    if (is === undefined || was === undefined || is <= bound || is <= was) continue;
    const shown = Number.isFinite(is) ? formatQuantity(kind, is as Quantity) : unlimited;
    return fail({
      reason: `${key.replace('.', ' ')} of all your tenants together would be ${shown}, which is above yours: ${formatQuantity(kind, bound)}`,
    });
  }
  return ok(undefined);
}

/** Whether a reseller's value bounds the sum of its tenants, which nothing but this check adds up. Times do not add up. */
const isSummedHere = (key: LimitKey): boolean =>
  key === 'database.cpu' ||
  key === 'database.connections' ||
  limitAttribute(key).limit.name === 'disk';

const sumOf = (key: LimitKey, reseller: number, { tenants }: Policy): number =>
  tenants
    .filter((each) => each.reseller === reseller)
    .map((each) => sizeOf(givenLimits(each)[key]))
    .reduce((sum, each) => sum + each, 0);

const sizeOf = (value: LimitValues[LimitKey]): number =>
  value === undefined || value === unlimited ? Infinity : value;
