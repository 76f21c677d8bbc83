/**
 * A tenant under systemd: the slice `user-1001.slice`, and in it the scope `bulkhead-1001.scope` for processes that
 * started elsewhere. A site is a slice in it, `user-1001-shop.example.slice`, with a scope of its own,
 * `bulkhead-1001-shop.example.scope`.
 *
 * Cgroup v2 values become settings of the slice. Missing limits are written, too, so that neither the distribution's
 * settings nor the administrator's apply to the tenant:
 *
 *     [Slice]
 *     CPUQuota=50%
 *     CPUQuotaPeriodSec=100ms
 *     CPUWeight=100
 *     MemoryMax=1073741824
 *     IOReadBandwidthMax=
 *     IOReadBandwidthMax=/dev/block/254:0 10485760
 *     TasksMax=infinity
 *
 * A reseller's tenant is a cgroup below its reseller's, which a slice of that name cannot be: `user-1001.slice` is in
 * `user.slice`, by its name. So that slice only limits what systemd starts there all the same: `outside/u1001`. It has no
 * lines for missing limits, and of a disk's caps only those that are limited.
 *
 * Source: systemd.resource-control(5).
 */
import type { FileSetting, SettingContext, SystemdSetting } from '../limits/limit.ts';
import { limits, type KeyedAttribute } from '../limits/limits.ts';
import { weakSupport, type Support } from '../limits/support.ts';
import { escapedSite, fitsUnit, unescapedSite } from '../policy/sites/site-unit.ts';
import { cgroupSetup, outsideCgroup, parentOf, siteCgroup, slicesCgroup } from './wanted.ts';

/** The slice in which systemd makes users' slices. */
export const userSlice = 'user.slice';

/** The owner of a slice: a tenant without a reseller, or one of its sites. */
export interface SliceOwner {
  readonly uid: number;
  readonly site?: string;
}

const named = (prefix: string, { uid, site }: SliceOwner) =>
  site === undefined ? `${prefix}-${uid}` : `${prefix}-${uid}-${escapedSite(site)}`;

/** The user slice of a reseller's tenant, by the tenant's uid. */
export interface OutsideSlice {
  readonly outside: number;
}

/** A slice for which we may have a file: an owner's, the one around all of them, or a reseller's tenant's. */
export type Slice = SliceOwner | OutsideSlice | typeof slicesCgroup;

export const isOwner = (slice: Slice): slice is SliceOwner =>
  typeof slice === 'object' && 'uid' in slice;

export function sliceOf(slice: Slice): string {
  if (slice === slicesCgroup) return userSlice;
  return `${named('user', isOwner(slice) ? slice : { uid: slice.outside })}.slice`;
}

/** Returns the path of a slice's cgroup. A site's slice is below its tenant's. */
export function sliceCgroup(owner: SliceOwner): string {
  const tenant = `${userSlice}/${sliceOf({ uid: owner.uid })}`;
  return owner.site === undefined ? tenant : `${tenant}/${sliceOf(owner)}`;
}

/** Returns the scope for processes moved into a slice; its cgroup is ours. */
export const scopeOf = (instance: string, owner: SliceOwner): string =>
  `${named(instance, owner)}.scope`;

export const scopeCgroup = (instance: string, owner: SliceOwner): string =>
  `${sliceCgroup(owner)}/${scopeOf(instance, owner)}`;

/** Returns the owner of a slice by its unit, `user-1001-my\x2dshop.slice`. */
export function ownerOfSlice(unit: string): SliceOwner | undefined {
  const [, uid, escaped] = /^user-(\d{1,10})(?:-(.+))?\.slice$/.exec(unit) ?? [];
  if (uid === undefined) return undefined;
  const site = escaped === undefined ? undefined : unescapedSite(escaped);
  const owner = { uid: Number(uid), ...(site === undefined ? {} : { site }) };
  return sliceOf(owner) === unit ? owner : undefined;
}

/** Returns what a unit may be for us: a user's slice is a tenant, or outside the tenant's cgroup. */
export function slicesOfUnit(unit: string): readonly Slice[] {
  if (unit === userSlice) return [slicesCgroup];
  const owner = ownerOfSlice(unit);
  if (owner === undefined) return [];
  return owner.site === undefined ? [owner, { outside: owner.uid }] : [owner];
}

/** Returns the tenant of a cgroup's name, `u1001`, that is not below a reseller. */
export function sliceTenant(cgroup: string): number | undefined {
  const match = /^u(\d{1,10})$/.exec(cgroup);
  return match === null ? undefined : Number(match[1]);
}

/** Returns the owner of a cgroup's name, `u1001` or `u1001/s-shop.example`, that is a slice. */
export function sliceOwner(cgroup: string): SliceOwner | undefined {
  const [, tenant = '', site] = /^(u\d+)(?:\/s-([^/]+))?$/.exec(cgroup) ?? [];
  const uid = sliceTenant(tenant);
  if (uid === undefined || (site !== undefined && !fitsUnit(site))) return undefined;
  return site === undefined ? { uid } : { uid, site };
}

/** Whether the path is part of a tenant that is a slice: its site, or the rest of it. */
export const isPartOfSlice = (path: string): boolean => sliceTenant(parentOf(path)) !== undefined;

/** Whether the path is a site of a slice, but cannot be a slice. */
export const isMisfit = (path: string): boolean =>
  isPartOfSlice(path) && sliceOwner(path) === undefined;

/** Returns the slice of a cgroup's name. */
export function sliceNamed(cgroup: string): Slice | undefined {
  if (cgroup === slicesCgroup) return slicesCgroup;
  return outsideNamed(cgroup) ?? sliceOwner(cgroup);
}

/** Returns the slice of a cgroup that must be one. */
export function sliceFor(cgroup: string): Slice {
  const slice = sliceNamed(cgroup);
  if (slice === undefined) throw new Error(`The cgroup "${cgroup}" is not a slice`);
  return slice;
}

/** Returns the user slice of a reseller's tenant by its cgroup's name. */
export function outsideNamed(cgroup: string): OutsideSlice | undefined {
  const uid = sliceTenant(cgroup.slice(cgroup.indexOf('/') + 1));
  return uid !== undefined && cgroup === outsideCgroup(uid) ? { outside: uid } : undefined;
}

/** Returns the name of a slice's cgroup. */
export function sliceName(slice: Slice): string {
  if (slice === slicesCgroup) return slice;
  if (!isOwner(slice)) return outsideCgroup(slice.outside);
  const { uid, site } = slice;
  return site === undefined ? `u${uid}` : siteCgroup(`u${uid}`, site);
}

/**
 * Returns the path of a slice, or of a cgroup in it, by its name: `u1001/./session-1.scope`, where the dot
 * distinguishes it from a site. Returns undefined for other cgroups.
 */
export function cgroupInSlice(cgroup: string): string | undefined {
  if (cgroup === slicesCgroup) return userSlice;
  const outside = outsideNamed(cgroup);
  if (outside !== undefined) return sliceCgroup({ uid: outside.outside });
  const [first = '', second, ...rest] = cgroup.split('/');
  const uid = sliceTenant(first);
  if (uid === undefined) return undefined;
  if (second === undefined) return sliceCgroup({ uid });
  const site = sliceOwner(`${first}/${second}`);
  return [
    ...(site === undefined ? [sliceCgroup({ uid }), second] : [sliceCgroup(site)]),
    ...rest,
  ].join('/');
}

/** Returns a cgroup's path as /proc/PID/cgroup shows it; `slices` is the parent of tenants without a reseller. */
export function cgroupPath(
  { path, slices }: { readonly path: string; readonly slices?: { readonly path: string } },
  cgroup: string,
): string {
  const owner = slices === undefined ? undefined : sliceOwner(cgroup);
  if (owner === undefined) return `${path}/${cgroup}`;
  return `${slices?.path}${sliceCgroup(owner).slice(userSlice.length)}`;
}

const systemdSettings: ReadonlyMap<string, SystemdSetting> = new Map(
  limits.flatMap(({ cgroup2 }) => Object.entries(cgroup2.systemd)),
);

function systemdSettingOf(file: string): SystemdSetting {
  const found = systemdSettings.get(file);
  if (found === undefined) throw new Error(`No limit in the table has the file ${file}`);
  return found;
}

/**
 * Returns the settings that systemd can set, in its form. The settings for cgroups inside a slice are systemd's own.
 */
export const sliceSettings = (settings: readonly FileSetting[]): readonly FileSetting[] =>
  settings.flatMap((each) => {
    if (each.attribute === cgroupSetup) return [];
    const systemd = systemdSettingOf(each.file);
    if (systemd === 'none') return [];
    return [typeof systemd === 'string' ? each : (systemd.rounded?.(each) ?? each)];
  });

/** Returns the degree to which systemd can enforce a limit that this kernel enforces as `kernel` says. */
export function sliceSupport(
  { limit, key }: Pick<KeyedAttribute, 'limit' | 'key'>,
  kernel: Support,
  context: SettingContext,
): Support {
  if (kernel.level === 'none') return kernel;
  const files = limit.cgroup2.settings({}, context).filter(({ attribute }) => attribute === key);
  const missing = files.some(({ file }) => systemdSettingOf(file) === 'none');
  return missing ? onlyBelowResellers : kernel;
}

const onlyBelowResellers = weakSupport('partial', [{ code: 'only below resellers' }], {
  code: 'use the driver',
  value: 'cgroup2',
});

const head = '# Written by "bulkhead apply"; it is replaced when it differs.\n[Slice]\n';
const accounting = ['CPU', 'IO', 'Memory', 'Tasks'].map((each) => `${each}Accounting=yes`);

/** Whether the text of a file is ours. An empty file is ours, too, left by a power loss or an interrupted apply. */
export const isSliceText = (text: string): boolean => text === '' || text.startsWith(head);

/** Returns the text of a slice's file. */
export const sliceText = (settings: readonly FileSetting[]): string =>
  textOf([...accounting, ...linesFor(settings)]);

/** Returns the text of the file for a slice of which we set nothing else: no tenant's, or one around all of them. */
export const boundsText = (settings: readonly FileSetting[]): string => textOf(linesFor(settings));

const textOf = (lines: readonly string[]) => `${head}${lines.join('\n')}\n`;

/** Returns the lines of settings; lists of disks come last. */
function linesFor(settings: readonly FileSetting[]): readonly string[] {
  const isOfDisk = ({ device }: FileSetting) => device !== undefined;
  const inOrder = [...settings.filter((each) => !isOfDisk(each)), ...settings.filter(isOfDisk)];
  return [...Map.groupBy(inOrder, ({ file }) => file)].flatMap(linesOf);
}

function linesOf([file, settings]: readonly [string, readonly FileSetting[]]): readonly string[] {
  const systemd = systemdSettingOf(file);
  if (systemd === 'none') return [];
  if (typeof systemd !== 'string') return systemd.lines(settings);
  return settings.map(({ value }) => `${systemd}=${value === 'max' ? 'infinity' : value}`);
}
