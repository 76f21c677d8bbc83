/**
 * A panel's packages as packages of a policy that follows the panel, and accounts with limits of their own as tenants.
 * The remarks list the rest, with the reasons.
 */
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Located } from '../../policy/diagnostic.ts';
import type { AddedPlan, AddedTenant, ImportedLimits } from '../../policy/elements/add-limits.ts';
import { freeName, nearestName } from '../../policy/names.ts';
import { packageKey, type PanelPlan } from '../../policy/panel/panel-record.ts';
import { userPattern } from '../../policy/value-kinds.ts';
import { formatPlan, packageNameOf } from '../../policy/panel/panel-members.ts';
import { administratorsOf, planOf } from './follow.ts';
import {
  type PanelAccount,
  type PanelData,
  type PanelPackage,
  type StatedLimits,
} from './panel-data.ts';

export function policyLimits(data: PanelData): ImportedLimits {
  const names = policyNames(data.packages, administratorsOf(data));
  const byKey = new Map(data.packages.map((each) => [packageKey(each), each]));
  const accounts = data.accounts.filter(({ role }) => role !== 'administrator');
  const { plans, remarks } = plansOf(names, administratorsOf(data));
  return {
    from: `${data.panel} (${data.from})`,
    panel: { source: data.source, plans },
    defaults: [],
    packages: data.packages.map((each) => ({
      name: located(names.get(each) ?? each.name),
      values: valuesOf(bounded(each.limits)),
    })),
    tenants: accounts.flatMap((each) => tenantOf(each, byKey) ?? []),
    remarks: [...remarksOn(data), ...renamed(names), ...remarks],
  };
}

const located = <T>(value: T): Located<T> => ({ value, start: 0, end: 0 });

const valuesOf = (limits: Iterable<readonly [LimitKey, Quantity]>) =>
  new Map([...limits].map(([key, value]) => [key, located(value)]));

/** Panels set disk quotas themselves: a second writer would undo what they change later. */
const isThePanels = (key: LimitKey) => key.startsWith('disk.');

/** A package that has no bound leaves it to the defaults: panels write "unlimited" where nobody chose a limit. */
const bounded = (limits: StatedLimits) =>
  [...limits].filter(([key, value]) => value !== unlimited && !isThePanels(key));

function tenantOf(
  { user, uid, package: wanted, limits }: PanelAccount,
  byKey: ReadonlyMap<string, PanelPackage>,
): AddedTenant | undefined {
  const found = wanted && byKey.get(packageKey(wanted));
  const values = valuesOf(ownLimits(limits, found?.limits ?? new Map()));
  if (values.size === 0) return undefined;
  return { uid, values, name: located({ kind: 'user', user }), package: undefined };
}

/** Returns a plan for each package, and remarks on packages that get none. */
function plansOf(
  names: ReadonlyMap<PanelPackage, string>,
  administrators: ReadonlySet<string>,
): { readonly plans: readonly AddedPlan[]; readonly remarks: readonly string[] } {
  const plans = new Map<string, AddedPlan>();
  const twice: string[] = [];
  const unwritable: string[] = [];
  for (const [each, name] of names) {
    const plan = planOf(each, administrators);
    const key = packageKey(plan);
    if (!isWritable(plan)) unwritable.push(printable(formatPlan(plan)));
    else if (plans.has(key)) twice.push(formatPlan(each));
    else plans.set(key, { ...plan, package: name });
  }
  return {
    plans: [...plans.values()],
    remarks: [
      ...(twice.length === 0
        ? []
        : [
            `${listSome(twice)}: administrators' packages of one name are one plan, and the first one's limits apply`,
          ]),
      ...(unwritable.length === 0
        ? []
        : [`no <plan> for ${listSome(unwritable)}: the policy cannot have that name`]),
    ],
  };
}

/** Resellers choose the names of their packages, and XML has no control characters. */
const isWritable = ({ name, owner }: PanelPlan): boolean =>
  !/[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(name) &&
  name.trim() !== '' &&
  (owner === undefined || userPattern.test(owner));

/** Returns the limits of an account that differ from its package's. */
const ownLimits = (limits: StatedLimits, inherited: StatedLimits) =>
  [...limits].filter(
    ([key, value]) => value !== (inherited.get(key) ?? unlimited) && !isThePanels(key),
  );

/** Returns the name of each package in the policy: the one by which a policy with <panel> finds it. Each is there once. */
function policyNames(
  packages: readonly PanelPackage[],
  administrators: ReadonlySet<string>,
): ReadonlyMap<PanelPackage, string> {
  const taken = new Set<string>();
  return new Map(
    packages.map((each) => {
      const plan = planOf(each, administrators);
      const wanted = packageNameOf(plan) ?? nearestName(formatPlan(plan));
      const free = freeName(wanted, taken);
      taken.add(free);
      return [each, free];
    }),
  );
}

function renamed(names: ReadonlyMap<PanelPackage, string>): readonly string[] {
  const changed = [...names].filter(([{ name }, own]) => name !== own);
  if (changed.length === 0) return [];
  const each = changed.map(([{ name }, own]) => `"${name}" as "${own}"`);
  return [`the policy has ${listSome(each)}`];
}

function remarksOn({ accounts, packages, resellers, problems }: PanelData): readonly string[] {
  const administrators = accounts.filter(({ role }) => role === 'administrator');
  const owned = new Set(resellers.map(({ name }) => name));
  const customers = accounts.filter(({ owner, user }) => owner !== user && owned.has(owner ?? ''));
  const open = packages.filter(({ limits }) => bounded(limits).length === 0);
  return [
    ...(open.length === 0
      ? []
      : [
          `${listSome(open.map(({ name }) => name))}: only the defaults, since the panel states no limits there that setup takes over`,
        ]),
    ...(packages.some(({ limits }) => [...limits.keys()].some(isThePanels))
      ? ['no limits of disk space and files: the panel sets those quotas itself']
      : []),
    ...(administrators.length === 0
      ? []
      : [
          `administrators of the panel get the package of their plan, too: ${listSome(administrators.map(({ user }) => user))}`,
        ]),
    ...(resellers.length === 0
      ? []
      : [
          `${count(resellers.length, 'reseller')} and their ${count(customers.length, 'account')} stay plain tenants until you add a <reseller>: the panel states no limits for the sum, and with the systemd driver tenants of a <reseller> leave their slices`,
        ]),
    ...(problems.length === 0
      ? []
      : [
          `${count(problems.length, 'problem')}, all in "bulkhead panel status": ${listSome(problems.map(formatProblem), 3)}`,
        ]),
  ];
}
