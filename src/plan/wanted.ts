/**
 * Policy + host facts → the cgroups that must exist and the values that their files must contain.
 *
 * Paths are relative to Bulkhead's own root cgroup. Names are uids, since the kernel identifies
 * accounts by uid, and account names are arbitrary: `u1001` a tenant, `r1000` a reseller.
 *
 * A tenant with sites is divided into parts, since cgroup v2 allows no processes next to cgroups with limits:
 * `u1001/s-shop.example` is a site, `u1001/main` everything else. Without sites there are no parts.
 */
import { valuesLike } from '../limits/flat-file.ts';
import { limitAttribute, limits } from '../limits/limits.ts';
import { withSwap } from '../limits/memory.ts';
import {
  setting,
  type Controller,
  type FileSetting,
  type LimitKey,
  type LimitValues,
  type SettingContext,
} from '../limits/limit.ts';
import { unlimited } from '../../packages/base/quantity.ts';
import { guaranteesOf, isGuarantee, withGuarantees } from '../policy/guarantees/guarantees.ts';
import { nameOf, siteName, type Policy, type Site, type Tenant } from '../policy/policy.ts';
import { wantedQuotas, type QuotaContext, type WantedQuotas } from './quota.ts';

export interface WantedCgroup {
  /** The path; `''` is Bulkhead's root cgroup. */
  readonly path: string;
  readonly kind: 'root' | 'slices' | 'reseller' | 'tenant' | 'outside' | PartKind;
  /** The name for display: `tenant alice`. */
  readonly label: string;
  readonly settings: readonly FileSetting[];
  /** The accounts that have set some of a site's limits, apart from the policy: `reseller acme and alice`. */
  readonly setBy?: string;
  /** The unit file, if systemd makes the tenant's cgroup. */
  readonly unit?: UnitFile;
}

/** A settings file for a systemd unit, `user-1001.slice`, which has a cgroup only while something runs in it. */
export interface UnitFile {
  /** The unit of the slice. */
  readonly unit: string;
  /** The path of its file. */
  readonly path: string;
  /** The text of its file. */
  readonly text: string;
  /** The accounts that have set some of it, apart from the policy. */
  readonly setBy?: string;
}

export interface Wanted extends WantedQuotas {
  /** The cgroups, parents before children. */
  readonly cgroups: readonly WantedCgroup[];
}

export interface WantedContext extends SettingContext {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<Controller>;
  readonly quota: QuotaContext;
  /** Returns the path of the file for a slice, `u1001`; absent unless tenants without a reseller are slices. */
  readonly unitPath?: (cgroup: string) => string;
  /** `memory.use_hierarchy` at the root of its hierarchy; absent on v2, and on kernels that removed it. */
  readonly useHierarchy: string | undefined;
}

export const resellerCgroup = (uid: number) => `r${uid}`;

export function tenantCgroup({ uid, reseller }: Pick<Tenant, 'uid' | 'reseller'>): string {
  return reseller === undefined ? `u${uid}` : `${resellerCgroup(reseller)}/u${uid}`;
}

/** The cgroup around all slices of tenants. Only guarantees of the tenants make Bulkhead set anything there. */
export const slicesCgroup = 'slices';

/**
 * Returns the user slice of a reseller's tenant, whose processes belong elsewhere. systemd still starts some there, since
 * it names users' slices by uid only.
 */
export const outsideCgroup = (uid: number) => `outside/u${uid}`;

export type PartKind = 'main' | 'site';

/** Returns the part of a tenant with sites for processes outside all sites. */
export const mainCgroup = (tenant: string) => `${tenant}/main`;
/** Returns a site's cgroup. Host names are too long for a longer prefix, and may be the names of files in a cgroup. */
export const siteCgroup = (tenant: string, site: string) => `${tenant}/s-${site}`;

/** Returns the cgroup of a tenant's processes, except its sites' processes. */
export function homeCgroup(tenant: Pick<Tenant, 'uid' | 'reseller' | 'sites'>): string {
  const cgroup = tenantCgroup(tenant);
  return tenant.sites.length === 0 ? cgroup : mainCgroup(cgroup);
}

/** Returns all parts of a tenant; none if it has no sites. */
export function partCgroups(tenant: Pick<Tenant, 'uid' | 'reseller' | 'sites'>): readonly string[] {
  const cgroup = tenantCgroup(tenant);
  const sites = tenant.sites.map(({ name }) => siteCgroup(cgroup, name));
  return sites.length === 0 ? [] : [mainCgroup(cgroup), ...sites];
}

/** Returns the meaning of a name in a tenant's cgroup; other names are not ours. */
export function partKindOf(name: string): PartKind | undefined {
  if (name === 'main') return 'main';
  return name.startsWith('s-') ? 'site' : undefined;
}

/** Returns the tenant's cgroup of which this one is a part; undefined if it is none. */
export function dividedCgroup(path: string): string | undefined {
  const parent = parentOf(path);
  const isPart = partKindOf(lastName(path)) !== undefined;
  return isPart && parseCgroupName(lastName(parent))?.kind === 'tenant' ? parent : undefined;
}

/** Returns the meaning of a name in Bulkhead's tree; anything else must not be touched. */
export function parseCgroupName(
  name: string,
): { kind: 'tenant' | 'reseller'; uid: number } | undefined {
  const match = /^([ur])(\d{1,10})$/.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] === 'u' ? 'tenant' : 'reseller', uid: Number(match[2]) };
}

/** Returns the owner of a cgroup, or of the cgroup of which it is a part; the root has none. */
export const uidOfCgroup = (path: string): number | undefined => parseCgroupPath(path)?.uid;

/** Returns the tenant that owns a cgroup, if any. */
export function tenantOfCgroup(path: string): number | undefined {
  const parsed = parseCgroupPath(path);
  return parsed?.kind === 'tenant' ? parsed.uid : undefined;
}

const parseCgroupPath = (path: string) => parseCgroupName(lastName(dividedCgroup(path) ?? path));

export const lastName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Whether a cgroup is below another; all are below the root. */
export const isInside = (path: string, parent: string) =>
  parent === '' ? path !== '' : path.startsWith(`${parent}/`);

/** Returns the depth of a cgroup; the root's is 0. */
export const depthOf = (path: string) => (path === '' ? 0 : path.split('/').length);

export const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export function wantedState(written: Policy, context: WantedContext): Wanted {
  const policy = withGuarantees(written);
  const alone = policy.tenants.filter(({ reseller }) => reseller === undefined);
  const [inTree, inSlices] = context.unitPath !== undefined ? [[], alone] : [alone, []];
  const root: WantedCgroup = {
    path: '',
    kind: 'root',
    label: 'Bulkhead',
    settings: [
      ...useHierarchy(context),
      ...subtreeControl(context),
      ...guaranteeSettings([...policy.resellers, ...inTree], context),
    ],
  };
  const settingsOf = cached((values, above) => [
    ...undivided(context),
    ...settingsFor(values, above, context),
  ]);
  const resellers = policy.resellers.map((each): WantedCgroup => ({
    path: resellerCgroup(each.uid),
    kind: 'reseller',
    label: `reseller ${nameOf(each)}`,
    settings: [...subtreeControl(context), ...settingsFor(each.values, undefined, context)],
  }));
  const resellerLimits = new Map(policy.resellers.map((each) => [each.uid, each.values]));
  const tenants = policy.tenants.flatMap((each): readonly WantedCgroup[] => {
    const above = each.reseller === undefined ? undefined : resellerLimits.get(each.reseller);
    const cgroup = {
      path: tenantCgroup(each),
      kind: 'tenant' as const,
      label: `tenant ${nameOf(each)}`,
    };
    if (each.sites.length === 0) return [{ ...cgroup, settings: settingsOf(each.values, above) }];
    const settings = [...subtreeControl(context), ...settingsFor(each.values, above, context)];
    return [{ ...cgroup, settings }, ...partsOf(each, cgroup.path, above ?? {}, context)];
  });
  const outside = context.unitPath === undefined ? [] : outsideOf(policy, resellerLimits, context);
  return {
    cgroups: [root, ...aroundSlices(inSlices, context), ...resellers, ...tenants, ...outside],
    ...wantedQuotas(policy, context.quota),
  };
}

/** Returns settings for a cgroup around others, which gets the sum of their guarantees and no limits. */
const guaranteeSettings = (
  inside: readonly Pick<Tenant, 'values'>[],
  context: WantedContext,
): readonly FileSetting[] =>
  settingsFor(guaranteesOf(inside), undefined, context).filter(({ attribute }) =>
    isGuarantee(attribute),
  );

/** Returns the cgroup around slices, if it needs any guarantee. */
function aroundSlices(inside: readonly Tenant[], context: WantedContext): readonly WantedCgroup[] {
  const settings = guaranteeSettings(inside, context);
  if (settings.every(({ value, initial }) => value === initial)) return [];
  return [{ path: slicesCgroup, kind: 'slices', label: 'all tenants', settings }];
}

/**
 * Returns the user slices of resellers' tenants that have limits, each with the lower limit of the two. Guarantees are in
 * the tree. Missing limits are left out: they would lift those that the administrator sets for all users.
 */
function outsideOf(
  { tenants }: Policy,
  resellerLimits: ReadonlyMap<number, LimitValues>,
  context: WantedContext,
): readonly WantedCgroup[] {
  const settingsOf = cached((values, above = {}) => {
    const lower = withinLimits(withSwap(values), withSwap(above));
    const settings = settingsFor(withoutGuarantees(lower), undefined, context);
    return settings.filter(({ value, initial }) => value !== initial).map(limitedCaps);
  });
  return tenants.flatMap((each): readonly WantedCgroup[] => {
    if (each.reseller === undefined) return [];
    const label = `tenant ${nameOf(each)}, outside its reseller`;
    const settings = settingsOf(each.values, resellerLimits.get(each.reseller));
    if (settings.length === 0) return [];
    return [{ path: outsideCgroup(each.uid), kind: 'outside', label, settings }];
  });
}

/** Leaves out a disk's caps without a limit. */
function limitedCaps(setting: FileSetting): FileSetting {
  const { device, value, initial } = setting;
  if (device === undefined) return setting;
  const unlimited = new Set(initial.split(' '));
  const caps = value.split(' ').filter((cap) => !unlimited.has(cap));
  const limited = caps.join(' ');
  return {
    ...setting,
    value: limited,
    initial: valuesLike(initial, limited),
    write: `${device} ${limited}`,
  };
}

function partsOf(
  tenant: Tenant,
  path: string,
  reseller: LimitValues,
  context: WantedContext,
): readonly WantedCgroup[] {
  const limits = withinLimits(tenant.values, reseller);
  const alone = context.version === 1 ? ioOf(limits) : {};
  const name = nameOf(tenant);
  return [
    {
      path: mainCgroup(path),
      kind: 'main',
      label: `tenant ${name}, outside its sites`,
      settings: settingsFor(alone, limits, context),
    },
    ...tenant.sites.map((site): WantedCgroup => ({
      path: siteCgroup(path, site.name),
      kind: 'site',
      label: `site ${siteName(name, site.name)}`,
      settings: settingsFor(
        { ...site.values, ...withinLimits(alone, site.values) },
        limits,
        context,
      ).map((each) => withSetter(each, site)),
      ...settersIn(site),
    })),
  ];
}

/** Returns the setters; none if only the policy sets limits. */
function settersIn({ own = [] }: Site): Pick<WantedCgroup, 'setBy'> {
  const names = own.flatMap(({ by, state }) => (state === 'in force' ? [by] : []));
  return names.length === 0 ? {} : { setBy: [...new Set(names)].join(' and ') };
}

/** Adds the setter to a setting's note, if that is not the policy. */
function withSetter(setting: FileSetting, { own = [] }: Site): FileSetting {
  const mine = own.find(({ key, state }) => key === setting.attribute && state === 'in force');
  if (mine === undefined) return setting;
  const by = `set by ${mine.by}`;
  return { ...setting, note: setting.note === undefined ? by : `${setting.note}, ${by}` };
}

const withoutGuarantees = (values: LimitValues): LimitValues =>
  Object.fromEntries(Object.entries(values).filter(([key]) => !isGuarantee(key as LimitKey)));

/** Returns the smaller value of each limit. */
function withinLimits(inner: LimitValues, outer: LimitValues): LimitValues {
  const smaller = Object.entries(outer).filter(([key, value]) => {
    const mine = inner[key as LimitKey] ?? limitAttribute(key as LimitKey).fallback;
    return value !== undefined && value !== unlimited && (mine === unlimited || mine > value);
  });
  return { ...inner, ...Object.fromEntries(smaller) };
}

/**
 * Returns I/O limits. v1 throttles each cgroup's I/O separately, whatever its parent may do, so each part gets the
 * tenant's.
 */
const ioOf = (values: LimitValues): LimitValues =>
  Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('io.')));

/** Caches settings: thousands of tenants share a few sets of values, and their settings are computed once. */
function cached(
  settingsOf: (values: LimitValues, above: LimitValues | undefined) => readonly FileSetting[],
): typeof settingsOf {
  const known = new Map<LimitValues | undefined, Map<LimitValues, readonly FileSetting[]>>();
  return (values, above) => {
    let byValues = known.get(above);
    if (byValues === undefined) known.set(above, (byValues = new Map()));
    let settings = byValues.get(values);
    if (settings === undefined) byValues.set(values, (settings = settingsOf(values, above)));
    return settings;
  };
}

function settingsFor(
  values: LimitValues,
  parentLimits: LimitValues | undefined,
  context: WantedContext,
): readonly FileSetting[] {
  const side = context.version === 2 ? 'cgroup2' : 'cgroup1';
  const inside = parentLimits === undefined ? context : { ...context, parentLimits };
  return limits
    .flatMap((limit) => limit[side].settings(values, inside))
    .filter((each) => context.controllers.has(each.controller));
}

/** The attribute of writes that must come before the children of a cgroup are created. */
export const cgroupSetup = 'cgroup.setup';

/** The controllers in the order in which the kernel prints them. */
const delegated: readonly Controller[] = ['cpu', 'io', 'memory', 'pids'];

/**
 * Returns the controllers to enable. On v2 a cgroup's children have files only of controllers in its subtree_control.
 */
function subtreeControl({ version, controllers }: WantedContext): readonly FileSetting[] {
  const names = delegated.filter((each) => controllers.has(each));
  const [first] = names;
  if (version === 1 || first === undefined) return [];
  const text = names.map((each) => `+${each}`).join(' ');
  return [setting(cgroupSetup, first, 'cgroup.subtree_control', names.join(' '), '', text)];
}

const isUnread = (read: (file: string) => string | undefined) =>
  read('cgroup.subtree_control') === undefined;

/** Returns the same file's setting in a tenant without parts; it is read only if there are any. */
function undivided(context: WantedContext): readonly FileSetting[] {
  return subtreeControl(context).map((each) => ({
    ...each,
    value: '',
    write: each.write.replaceAll('+', '-'),
    accepts: isUnread,
  }));
}

/**
 * Enables hierarchical mode. On v1 memory includes descendants' memory only in this mode; always since Linux 5.11. A
 * new cgroup inherits the mode.
 */
function useHierarchy({ useHierarchy }: WantedContext): readonly FileSetting[] {
  if (useHierarchy === undefined) return [];
  return [setting(cgroupSetup, 'memory', 'memory.use_hierarchy', '1', useHierarchy)];
}
