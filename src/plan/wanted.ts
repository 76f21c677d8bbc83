/**
 * Policy + facts of the host → the groups that must exist and what must stand in their files.
 *
 * Paths are relative to Bulkhead's own root group. Names are uids, since a uid is what the kernel
 * knows, and an account may be called anything: `u1001` a tenant, `r1000` a reseller.
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

export interface WantedGroup {
  /** `''` is Bulkhead's root group. */
  readonly path: string;
  readonly kind: 'root' | 'reseller' | 'tenant';
  /** For people: `tenant alice`. */
  readonly label: string;
  readonly settings: readonly FileSetting[];
}

export interface Wanted extends WantedQuotas {
  /** Parents before children. */
  readonly groups: readonly WantedGroup[];
}

export interface WantedContext extends SettingContext {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<Controller>;
  readonly quota: QuotaContext;
  /** `memory.use_hierarchy` at the top of its hierarchy; absent on v2, and where it was taken out. */
  readonly useHierarchy: string | undefined;
}

export const resellerGroup = (uid: number) => `r${uid}`;

export function tenantGroup({ uid, reseller }: Pick<Tenant, 'uid' | 'reseller'>): string {
  return reseller === undefined ? `u${uid}` : `${resellerGroup(reseller)}/u${uid}`;
}

/** What a name in Bulkhead's tree stands for; anything else is not ours to touch. */
export function parseGroupName(
  name: string,
): { kind: 'tenant' | 'reseller'; uid: number } | undefined {
  const match = /^([ur])(\d{1,10})$/.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] === 'u' ? 'tenant' : 'reseller', uid: Number(match[2]) };
}

/** Whose a group is: the uid in the last part of its path; nobody's is the root. */
export const uidOfGroup = (path: string): number | undefined => parseGroupPath(path)?.uid;

/** Whose a group is, if it is a tenant's. */
export function tenantOfGroup(path: string): number | undefined {
  const parsed = parseGroupPath(path);
  return parsed?.kind === 'tenant' ? parsed.uid : undefined;
}

const parseGroupPath = (path: string) => parseGroupName(path.slice(path.lastIndexOf('/') + 1));

/** Whether a group lies below another; all lie below the root. */
export const isInside = (path: string, above: string) =>
  above === '' ? path !== '' : path.startsWith(`${above}/`);

/** How far a group lies below the root, which is 0. */
export const depthOf = (path: string) => (path === '' ? 0 : path.split('/').length);

export const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export function wantedState(policy: Policy, context: WantedContext): Wanted {
  const root: WantedGroup = {
    path: '',
    kind: 'root',
    label: 'Bulkhead',
    settings: [...addUp(context), ...handDown(context)],
  };
  const settingsOf = cachedSettings(context);
  const resellers = policy.resellers.map((each): WantedGroup => ({
    path: resellerGroup(each.uid),
    kind: 'reseller',
    label: `reseller ${nameOf(each)}`,
    settings: [...handDown(context), ...settingsOf(each.values, undefined)],
  }));
  const above = new Map(policy.resellers.map((each) => [each.uid, each.values]));
  const tenants = policy.tenants.map((each): WantedGroup => ({
    path: tenantGroup(each),
    kind: 'tenant',
    label: `tenant ${nameOf(each)}`,
    settings: settingsOf(
      each.values,
      each.reseller === undefined ? undefined : above.get(each.reseller),
    ),
  }));
  return {
    groups: [root, ...resellers, ...tenants],
    ...wantedQuotas(policy, context.quota),
  };
}

/** Thousands of tenants share a few sets of values; their settings are made once. */
function cachedSettings(context: WantedContext) {
  const known = new Map<LimitValues | undefined, Map<LimitValues, readonly FileSetting[]>>();
  return (values: LimitValues, above: LimitValues | undefined): readonly FileSetting[] => {
    let byValues = known.get(above);
    if (byValues === undefined) known.set(above, (byValues = new Map()));
    let settings = byValues.get(values);
    if (settings === undefined)
      byValues.set(values, (settings = settingsFor(values, above, context)));
    return settings;
  };
}

function settingsFor(
  values: LimitValues,
  above: LimitValues | undefined,
  context: WantedContext,
): readonly FileSetting[] {
  const side = context.version === 2 ? 'cgroup2' : 'cgroup1';
  const inside = above === undefined ? context : { ...context, above };
  return limits
    .flatMap((limit) => limit[side].settings(values, inside))
    .filter((each) => context.controllers.has(each.controller));
}

/** Writes that must come before the children of a group are made. */
export const groupSetup = 'group.setup';

/** The order in which the kernel prints them. */
const delegated: readonly Controller[] = ['cpu', 'io', 'memory', 'pids'];

/** On v2 the children of a group have no files of a controller that is not handed down to them. */
function handDown({ version, controllers }: WantedContext): readonly FileSetting[] {
  const names = delegated.filter((each) => controllers.has(each));
  const [first] = names;
  if (version === 1 || first === undefined) return [];
  const text = names.map((each) => `+${each}`).join(' ');
  return [setting(groupSetup, first, 'cgroup.subtree_control', names.join(' '), '', text)];
}

/**
 * On v1 memory adds up over children, and theirs, in hierarchical mode; always since Linux 5.11. A new
 * cgroup inherits the mode.
 */
function addUp({ useHierarchy }: WantedContext): readonly FileSetting[] {
  if (useHierarchy === undefined) return [];
  return [setting(groupSetup, 'memory', 'memory.use_hierarchy', '1', useHierarchy)];
}
