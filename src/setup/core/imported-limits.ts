/** Limits that another program has on this host, for the policy. */
import { count, listSome } from '../../../packages/base/list.ts';
import { formatQuantity } from '../../../packages/base/quantity.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { ImportedLimits } from '../../policy/elements/add-limits.ts';
import type { LimitBlock, PackageElement } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Answers } from './answers.ts';

type Chosen = Pick<Answers, 'tenants' | 'except' | 'entries'>;

/** Returns the limits without accounts that are no tenants, and without entries if nobody wants them. */
export function chosenLimits(limits: ImportedLimits, answers: Chosen): ImportedLimits {
  const { except, entries } = answers;
  const [first = 0, last = 0] = answers.tenants.split('-').map(Number);
  const isTenant = ({ uid, name: { value } }: ImportedLimits['tenants'][number]) =>
    uid >= first && uid <= last && (value.kind === 'uid' || !except.includes(value.user));
  const tenants = limits.tenants.filter(isTenant);
  if (entries !== 'none') return { ...limits, tenants };
  return {
    ...limits,
    defaults: limits.defaults.filter((each) => each.kind !== 'limit' || !isOfEntries(each.key)),
    packages: limits.packages.map(withoutEntries),
    tenants: tenants
      .map(withoutEntries)
      .filter((each) => each.values.size > 0 || each.package !== undefined),
  };
}

type Known = Pick<Policy, 'tenants' | 'resellers'>;
type KnownPackage = Pick<PackageElement, 'name' | 'values'>;

/**
 * Returns the limits without accounts for which the policy decides: those that are no tenants, have a package, or belong to
 * a reseller. A package counts as the policy's if both have it with the same limits.
 */
export function besidePolicy(
  limits: ImportedLimits,
  { tenants, resellers }: Known,
  packages: readonly KnownPackage[],
): ImportedLimits {
  const tenantOf = new Map(tenants.map((each) => [each.uid, each]));
  const ofResellers = new Set(resellers.map(({ uid }) => uid));
  const others = otherPackages(limits.packages, packages);
  const isOpen = ({ uid, package: wanted }: ImportedTenant): boolean => {
    const known = tenantOf.get(uid);
    const isFree = known?.package === undefined && known?.reseller === undefined;
    return (
      known !== undefined && isFree && !ofResellers.has(uid) && !others.has(wanted?.value ?? '')
    );
  };
  const has = ({ uid, package: wanted }: ImportedTenant) =>
    wanted !== undefined && tenantOf.get(uid)?.package === wanted.value;
  const kept = limits.tenants.filter((each) => !isOpen(each) && !has(each));
  const left = kept.map(({ name: { value } }) =>
    value.kind === 'user' ? value.user : `uid ${value.uid}`,
  );
  return {
    ...limits,
    tenants: limits.tenants.filter(isOpen),
    packages: limits.packages.filter(({ name }) => !others.has(name.value)),
    remarks: [
      ...limits.remarks,
      ...(others.size === 0
        ? []
        : [`packages that keep the policy's limits: ${listSome([...others])}`]),
      ...(left.length === 0 ? [] : [`accounts that stay as they are: ${listSome(left)}`]),
    ],
  };
}

type ImportedTenant = ImportedLimits['tenants'][number];

/** Returns the names of packages that the policy has with other limits. */
function otherPackages(
  imported: ImportedLimits['packages'],
  packages: readonly KnownPackage[],
): ReadonlySet<string> {
  const textOf = ({ values }: LimitBlock) =>
    JSON.stringify([...values].map(([key, { value }]) => [key, value]).sort());
  const there = new Map(packages.map((each) => [each.name.value, textOf(each)]));
  return new Set(
    imported
      .filter((each) => (there.get(each.name.value) ?? textOf(each)) !== textOf(each))
      .map(({ name }) => name.value),
  );
}

const isOfEntries = (key: string) => key.startsWith('entries.');

const withoutEntries = <Block extends LimitBlock>(block: Block): Block => ({
  ...block,
  values: new Map([...block.values].filter(([key]) => !isOfEntries(key))),
});

export function formatImported(imported: ImportedLimits): string {
  const { from, namesMembers, remarks } = imported;
  const parts = namesMembers ? partsWithMembers(imported) : partsWithoutMembers(imported);
  const all = parts.length === 0 ? `all from ${from}` : `${parts.join(' and ')}; all from ${from}`;
  return [all, ...remarks].join('; ');
}

function partsWithoutMembers({ tenants, packages }: ImportedLimits): readonly string[] {
  return [
    ...(tenants.length === 0 ? [] : [`${count(tenants.length, 'tenant')} with individual limits`]),
    ...(packages.length === 0
      ? []
      : [
          `${count(packages.length, 'package')}, whose members the file does not name ("bulkhead set NAME package=…")`,
        ]),
  ];
}

function partsWithMembers({ tenants, packages }: ImportedLimits): readonly string[] {
  const members = tenants.filter((each) => each.package !== undefined);
  const own = tenants.filter(({ values }) => values.size > 0);
  return [
    ...(packages.length === 0
      ? []
      : [`${count(packages.length, 'package')} (${listSome(packages.map(formatPackage))})`]),
    `${count(members.length, 'tenant')} with a package`,
    ...(own.length === 0 ? [] : [`${count(own.length, 'tenant')} with individual limits`]),
  ];
}

function formatPackage({ name, values }: ImportedLimits['packages'][number]): string {
  const limits = [...values].map(
    ([key, { value }]) =>
      `${key.replace('.', ' ')} ${formatQuantity(limitAttribute(key).kind, value)}`,
  );
  return `${name.value}: ${limits.length === 0 ? 'the defaults' : limits.join(' ')}`;
}
