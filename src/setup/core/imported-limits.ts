/** Limits that another program has on this host, for the policy. */
import { count, listSome } from '../../../packages/base/list.ts';
import { formatQuantity } from '../../../packages/base/quantity.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { AddedPanel, ImportedLimits } from '../../policy/elements/add-limits.ts';
import { freeName } from '../../policy/names.ts';
import type { LimitBlock, PackageElement, PolicyDocument } from '../../policy/document.ts';
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

/**
 * Returns why the policy must not begin to follow a panel by itself: plans would take precedence over what accounts have
 * by their range or reseller, such as a jail or lower limits.
 */
export function whyNotFollow({
  panel,
  tenantRanges,
  resellers,
}: Pick<PolicyDocument, 'panel' | 'tenantRanges' | 'resellers'>): string | undefined {
  if (panel !== undefined) return undefined;
  if (tenantRanges.some((each) => each.package !== undefined))
    return 'plans would take precedence over the package of <tenants>, and over its jail';
  return resellers.length > 0
    ? 'accounts would move to the <reseller> that the panel states for them'
    : undefined;
}

/** Returns nothing of a panel's limits, and the reason. */
export const withoutPanel = ({ panel: _panel, ...limits }: ImportedLimits, why: string) => ({
  ...limits,
  packages: [],
  tenants: [],
  remarks: [
    `the policy stays as it is, since it would follow the panel otherwise: ${why}; add <panel> yourself if that is wanted`,
  ],
});

type Known = Pick<Policy, 'tenants' | 'resellers' | 'panel'>;
type KnownPackage = Pick<
  PackageElement,
  'name' | 'values' | 'jail' | 'reach' | 'listen' | 'siteLimits' | 'ownApps' | 'databaseInstance'
>;

/**
 * Returns the limits without accounts for which the policy decides: those that are no tenants, have a package, or belong to
 * a reseller. A package counts as the policy's if both have it with the same limits. A panel's package with other limits
 * gets another name, so that its accounts get its limits and the policy's package keeps its own.
 */
export function besidePolicy(
  limits: ImportedLimits,
  { tenants, resellers, panel }: Known,
  packages: readonly KnownPackage[],
): ImportedLimits {
  const tenantOf = new Map(tenants.map((each) => [each.uid, each]));
  const ofResellers = new Set(resellers.map(({ uid }) => uid));
  const isOpen = ({ uid }: ImportedTenant): boolean => {
    const known = tenantOf.get(uid);
    const isFree = known?.package === undefined && known?.reseller === undefined;
    return known !== undefined && isFree && !ofResellers.has(uid);
  };
  const kept = limits.tenants.filter((each) => !isOpen(each));
  const left = kept.map(({ name: { value } }) =>
    value.kind === 'user' ? value.user : `uid ${value.uid}`,
  );
  const apart = apartFrom(
    limits.panel === undefined || panel === undefined
      ? limits
      : { ...limits, panel: { ...limits.panel, isThere: true } },
    packages,
  );
  return {
    ...apart,
    tenants: limits.tenants.filter(isOpen),
    remarks: [
      ...apart.remarks,
      ...(left.length === 0
        ? []
        : [`accounts that get no individual limits, since the policy decides: ${listSome(left)}`]),
    ],
  };
}

/** Returns the limits without the packages that the policy has with other limits; a panel's get another name. */
function apartFrom(limits: ImportedLimits, packages: readonly KnownPackage[]): ImportedLimits {
  const others = otherPackages(limits.packages, packages);
  const { panel, remarks } = limits;
  if (others.size === 0) return limits;
  if (panel === undefined || panel.isThere === true)
    return {
      ...limits,
      packages: limits.packages.filter(({ name }) => !others.has(name.value)),
      remarks: [...remarks, `packages that keep the policy's limits: ${listSome([...others])}`],
    };
  const taken = new Set([...packages, ...limits.packages].map(({ name }) => name.value));
  const renamed = new Map<string, string>();
  for (const name of others) {
    const free = freeName(name, taken);
    taken.add(free);
    renamed.set(name, free);
  }
  const nameFor = (name: string) => renamed.get(name) ?? name;
  const said = [...renamed].map(([name, free]) => `"${name}" as "${free}"`);
  return {
    ...limits,
    packages: limits.packages.map((each) => ({
      ...each,
      name: { ...each.name, value: nameFor(each.name.value) },
    })),
    panel: {
      ...panel,
      plans: panel.plans.map((each) => ({ ...each, package: nameFor(each.package) })),
    },
    remarks: [
      ...remarks,
      `the policy has packages of these names with other limits, and gets the panel's ${listSome(said)}`,
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
  // A jail of the policy's package is nothing that the panel states.
  const isMore = (more: KnownPackage) =>
    [more.jail, more.reach, more.listen, more.siteLimits, more.ownApps, more.databaseInstance].some(
      (each) => each !== undefined,
    );
  const there = new Map(
    packages.map((each) => [each.name.value, isMore(each) ? undefined : textOf(each)]),
  );
  return new Set(
    imported
      .filter(
        ({ name, ...each }) => there.has(name.value) && there.get(name.value) !== textOf(each),
      )
      .map(({ name }) => name.value),
  );
}

const isOfEntries = (key: string) => key.startsWith('entries.');

const withoutEntries = <Block extends LimitBlock>(block: Block): Block => ({
  ...block,
  values: new Map([...block.values].filter(([key]) => !isOfEntries(key))),
});

export function formatImported(imported: ImportedLimits): string {
  const { from, panel, remarks } = imported;
  const parts = panel === undefined ? fileParts(imported) : panelParts(imported, panel);
  const all = parts.length === 0 ? `all from ${from}` : `${parts.join(' and ')}; all from ${from}`;
  return [all, ...remarks].join('; ');
}

function fileParts({ tenants, packages }: ImportedLimits): readonly string[] {
  return [
    ...individual(tenants),
    ...(packages.length === 0
      ? []
      : [
          `${count(packages.length, 'package')}, whose members the file does not name ("bulkhead set NAME package=…")`,
        ]),
  ];
}

function panelParts(
  { tenants, packages }: ImportedLimits,
  { source, plans, isThere }: AddedPanel,
): readonly string[] {
  return [
    isThere === true
      ? 'keeps <panel>'
      : `<panel source="${source}"> with ${count(plans.length, 'plan')}, so that accounts get the package of their plan from now on`,
    ...(packages.length === 0
      ? []
      : [`${count(packages.length, 'package')} (${listSome(packages.map(formatPackage))})`]),
    ...individual(tenants),
  ];
}

const individual = (tenants: ImportedLimits['tenants']): readonly string[] =>
  tenants.length === 0 ? [] : [`${count(tenants.length, 'tenant')} with individual limits`];

function formatPackage({ name, values }: ImportedLimits['packages'][number]): string {
  const limits = [...values].map(
    ([key, { value }]) =>
      `${key.replace('.', ' ')} ${formatQuantity(limitAttribute(key).kind, value)}`,
  );
  return `${name.value}: ${limits.length === 0 ? 'the defaults' : limits.join(' ')}`;
}
