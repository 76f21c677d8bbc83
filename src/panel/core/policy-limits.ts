/** A panel's packages and accounts, as packages and tenants of the policy. What is not taken over is listed, with the reason. */
import { count, listSome } from '../../../packages/base/list.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Located } from '../../policy/diagnostic.ts';
import type { AddedTenant, ImportedLimits } from '../../policy/elements/add-limits.ts';
import { freeName, nearestName } from '../../policy/names.ts';
import { packageKey } from '../../policy/panel/panel-record.ts';
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
  return {
    from: `${data.panel} (${data.from})`,
    namesMembers: true,
    defaults: [],
    packages: data.packages.map((each) => ({
      name: located(names.get(each) ?? each.name),
      values: valuesOf(bounded(each.limits)),
    })),
    tenants: accounts.flatMap((each) => tenantOf(each, names, byKey) ?? []),
    remarks: [...remarksOn(data), ...renamed(names)],
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
  names: ReadonlyMap<PanelPackage, string>,
  byKey: ReadonlyMap<string, PanelPackage>,
): AddedTenant | undefined {
  const found = wanted && byKey.get(packageKey(wanted));
  const values = valuesOf(ownLimits(limits, found?.limits ?? new Map()));
  if (found === undefined && values.size === 0) return undefined;
  const name = found && (names.get(found) ?? found.name);
  return {
    uid,
    values,
    name: located({ kind: 'user', user }),
    package: name === undefined ? undefined : located(name),
  };
}

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
          `no package for administrators of the panel: ${listSome(administrators.map(({ user }) => user))}`,
        ]),
    ...(resellers.length === 0
      ? []
      : [
          `${count(resellers.length, 'reseller')} and their ${count(customers.length, 'account')} become plain tenants: the panel states no limits for the sum, and with the systemd driver tenants of a <reseller> leave their slices`,
        ]),
    ...(problems.length === 0
      ? []
      : [
          `${count(problems.length, 'problem')}, all in "bulkhead panel status": ${listSome(problems.map(formatProblem), 3)}`,
        ]),
  ];
}
