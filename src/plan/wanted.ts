/**
 * Policy + facts of the host → the cgroups that must exist and the values that their files must contain.
 *
 * Paths are relative to Bulkhead's own root cgroup. Names are uids, since the kernel identifies
 * accounts by uid, and account names are arbitrary: `u1001` a tenant, `r1000` a reseller.
 */
import { limits } from '../limits/limits.ts';
import {
  setting,
  type Controller,
  type FileSetting,
  type LimitValues,
  type SettingContext,
} from '../limits/limit.ts';
import { nameOf, type Policy, type Tenant } from '../policy/policy.ts';
import { wantedQuotas, type QuotaContext, type WantedQuotas } from './quota.ts';

export interface WantedCgroup {
  /** `''` is Bulkhead's root cgroup. */
  readonly path: string;
  readonly kind: 'root' | 'reseller' | 'tenant';
  /** For display: `tenant alice`. */
  readonly label: string;
  readonly settings: readonly FileSetting[];
}

export interface Wanted extends WantedQuotas {
  /** Parents before children. */
  readonly cgroups: readonly WantedCgroup[];
}

export interface WantedContext extends SettingContext {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<Controller>;
  readonly quota: QuotaContext;
  /** `memory.use_hierarchy` at the root of its hierarchy; absent on v2, and on kernels that removed it. */
  readonly useHierarchy: string | undefined;
}

export const resellerCgroup = (uid: number) => `r${uid}`;

export function tenantCgroup({ uid, reseller }: Pick<Tenant, 'uid' | 'reseller'>): string {
  return reseller === undefined ? `u${uid}` : `${resellerCgroup(reseller)}/u${uid}`;
}

/** The meaning of a name in Bulkhead's tree; anything else must not be touched. */
export function parseCgroupName(
  name: string,
): { kind: 'tenant' | 'reseller'; uid: number } | undefined {
  const match = /^([ur])(\d{1,10})$/.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] === 'u' ? 'tenant' : 'reseller', uid: Number(match[2]) };
}

/** The owner of a cgroup: the uid in the last part of its path; the root has none. */
export const uidOfCgroup = (path: string): number | undefined => parseCgroupPath(path)?.uid;

/** The tenant that owns a cgroup, if any. */
export function tenantOfCgroup(path: string): number | undefined {
  const parsed = parseCgroupPath(path);
  return parsed?.kind === 'tenant' ? parsed.uid : undefined;
}

const parseCgroupPath = (path: string) => parseCgroupName(path.slice(path.lastIndexOf('/') + 1));

/** Whether a cgroup is below another; all are below the root. */
export const isInside = (path: string, parent: string) =>
  parent === '' ? path !== '' : path.startsWith(`${parent}/`);

/** The depth of a cgroup; that of the root is 0. */
export const depthOf = (path: string) => (path === '' ? 0 : path.split('/').length);

export const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export function wantedState(policy: Policy, context: WantedContext): Wanted {
  const root: WantedCgroup = {
    path: '',
    kind: 'root',
    label: 'Bulkhead',
    settings: [...useHierarchy(context), ...subtreeControl(context)],
  };
  const settingsOf = cachedSettings(context);
  const resellers = policy.resellers.map((each): WantedCgroup => ({
    path: resellerCgroup(each.uid),
    kind: 'reseller',
    label: `reseller ${nameOf(each)}`,
    settings: [...subtreeControl(context), ...settingsOf(each.values, undefined)],
  }));
  const resellerLimits = new Map(policy.resellers.map((each) => [each.uid, each.values]));
  const tenants = policy.tenants.map((each): WantedCgroup => ({
    path: tenantCgroup(each),
    kind: 'tenant',
    label: `tenant ${nameOf(each)}`,
    settings: settingsOf(
      each.values,
      each.reseller === undefined ? undefined : resellerLimits.get(each.reseller),
    ),
  }));
  return {
    cgroups: [root, ...resellers, ...tenants],
    ...wantedQuotas(policy, context.quota),
  };
}

/** Thousands of tenants share a few sets of values; their settings are computed once. */
function cachedSettings(context: WantedContext) {
  const known = new Map<LimitValues | undefined, Map<LimitValues, readonly FileSetting[]>>();
  return (values: LimitValues, parentLimits: LimitValues | undefined): readonly FileSetting[] => {
    let byValues = known.get(parentLimits);
    if (byValues === undefined) known.set(parentLimits, (byValues = new Map()));
    let settings = byValues.get(values);
    if (settings === undefined)
      byValues.set(values, (settings = settingsFor(values, parentLimits, context)));
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

/** Writes that must come before the children of a cgroup are created. */
export const cgroupSetup = 'cgroup.setup';

/** The order in which the kernel prints them. */
const delegated: readonly Controller[] = ['cpu', 'io', 'memory', 'pids'];

/** On v2 the children of a cgroup have files only of controllers enabled in its subtree_control. */
function subtreeControl({ version, controllers }: WantedContext): readonly FileSetting[] {
  const names = delegated.filter((each) => controllers.has(each));
  const [first] = names;
  if (version === 1 || first === undefined) return [];
  const text = names.map((each) => `+${each}`).join(' ');
  return [setting(cgroupSetup, first, 'cgroup.subtree_control', names.join(' '), '', text)];
}

/**
 * On v1 memory includes that of descendants only in hierarchical mode; always since Linux 5.11. A new
 * cgroup inherits the mode.
 */
function useHierarchy({ useHierarchy }: WantedContext): readonly FileSetting[] {
  if (useHierarchy === undefined) return [];
  return [setting(cgroupSetup, 'memory', 'memory.use_hierarchy', '1', useHierarchy)];
}
