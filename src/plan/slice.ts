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
 * Source: systemd.resource-control(5).
 */
import { ioFiles2 } from '../limits/io-caps.ts';
import type { FileSetting } from '../limits/limit.ts';
import { escapedSite, fitsUnit, unescapedSite } from '../policy/sites/site-unit.ts';
import { cgroupSetup, siteCgroup } from './wanted.ts';

/** The slice in which systemd makes users' slices. */
export const userSlice = 'user.slice';

/** The owner of a slice: a tenant without a reseller, or one of its sites. */
export interface SliceOwner {
  readonly uid: number;
  readonly site?: string;
}

const named = (prefix: string, { uid, site }: SliceOwner) =>
  site === undefined ? `${prefix}-${uid}` : `${prefix}-${uid}-${escapedSite(site)}`;

export const sliceOf = (owner: SliceOwner): string => `${named('user', owner)}.slice`;

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

/** Returns the name of a slice's cgroup. */
export const sliceName = ({ uid, site }: SliceOwner): string =>
  site === undefined ? `u${uid}` : siteCgroup(`u${uid}`, site);

/**
 * Returns the path of a slice, or of a cgroup in it, by its name: `u1001/./session-1.scope`, where the dot
 * distinguishes it from a site. Returns undefined for other cgroups.
 */
export function cgroupInSlice(cgroup: string): string | undefined {
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

const periodMicroseconds = 100_000;
/**
 * The rounding step. A quota is a percentage with two decimals, of a period of 100 ms. Source: parse_permyriad of
 * systemd.
 */
const stepMicroseconds = 10;

/**
 * Returns the settings that systemd can set, in its form. The settings for cgroups inside a slice are systemd's own.
 */
export const sliceSettings = (settings: readonly FileSetting[]): readonly FileSetting[] =>
  settings.flatMap((each) => {
    if (each.file === 'cpu.max.burst' || each.attribute === cgroupSetup) return [];
    return [each.file === 'cpu.max' ? roundedQuota(each) : each];
  });

function roundedQuota(setting: FileSetting): FileSetting {
  const quota = Number(setting.value.split(' ')[0]);
  if (Number.isNaN(quota)) return setting;
  const value = `${quota - (quota % stepMicroseconds)} ${periodMicroseconds}`;
  return { ...setting, value, write: value };
}

const head = '# Written by "bulkhead apply"; it is replaced when it differs.\n[Slice]\n';
const accounting = ['CPU', 'IO', 'Memory', 'Tasks'].map((each) => `${each}Accounting=yes`);

/** Whether the text of a file is ours. An empty file is ours, too, left by a power loss or an interrupted apply. */
export const isSliceText = (text: string): boolean => text === '' || text.startsWith(head);

export function sliceText(settings: readonly FileSetting[]): string {
  const plain = settings.flatMap((each) => plainLines[each.file]?.(each.value) ?? []);
  return `${head}${[...accounting, ...plain, ...ioLines(settings)].join('\n')}\n`;
}

const orInfinity = (value: string) =>
  value === 'max' || value === 'Infinity' ? 'infinity' : value;
const single = (key: string) => (value: string) => [`${key}=${orInfinity(value)}`];

const plainLines: Readonly<Record<string, (value: string) => readonly string[]>> = {
  'cpu.max': quotaLines,
  'cpu.weight': single('CPUWeight'),
  'memory.high': single('MemoryHigh'),
  'memory.max': single('MemoryMax'),
  'memory.swap.max': single('MemorySwapMax'),
  'pids.max': single('TasksMax'),
};

/** Returns a quota's lines. An empty value removes a quota. Only two decimals are possible. */
function quotaLines(value: string): readonly string[] {
  const quota = Number(value.split(' ')[0]);
  const percent = Number.isNaN(quota) ? '' : `${(quota * 100) / periodMicroseconds}%`;
  return [`CPUQuota=${percent}`, 'CPUQuotaPeriodSec=100ms'];
}

const ioKeys = {
  read: 'IOReadBandwidthMax',
  write: 'IOWriteBandwidthMax',
  reads: 'IOReadIOPSMax',
  writes: 'IOWriteIOPSMax',
} as const;

/**
 * Returns a line for every disk, even without a limit: an entry that vanishes from the list stays in the kernel. The
 * empty line first ends the list of other files.
 */
function ioLines(settings: readonly FileSetting[]): readonly string[] {
  const disks = settings.filter((each) => each.file === 'io.max' && each.device !== undefined);
  const devices = disks.map((each) => each.device ?? '');
  const text = disks.map((each) => each.write).join('\n');
  const caps = ioFiles2.caps(() => text, devices);
  if (caps === undefined || devices.length === 0) return [];
  return Object.entries(ioKeys).flatMap(([name, key]) => [
    `${key}=`,
    ...devices.map((device, disk) => {
      const cap = String(caps[name as keyof typeof ioKeys][disk]);
      return `${key}=/dev/block/${device} ${orInfinity(cap)}`;
    }),
  ]);
}
