/**
 * Wanted − Observed → the operations that lead from one to the other, in an order in which each
 * can succeed. Pure: planning twice on an unchanged host gives the same plan, and an empty one on a
 * host that is as wanted.
 *
 * The order: set up the tree, create cgroups (parents first), raise (parents first), lower tenants, move
 * tenants whose place changed, remove what is no longer wanted, lower resellers. Raising parents
 * before children and lowering children before parents never shows the kernel a child above its
 * parent, which v1 refuses; what is removed still counts as a child until then.
 */
import { lowers, parseDeviceLines } from '../limits/flat-file.ts';
import type { Controller, FileSetting, LimitKey } from '../limits/limit.ts';
import type { Observed, ObservedCgroup, Preparation, OrphanCgroup } from './observed.ts';
import { placeKey, type QuotaLimits, type WantedQuota } from './quota.ts';
import { cgroupSetup, parentOf, type Wanted, type WantedCgroup } from './wanted.ts';

export interface CreateCgroup {
  readonly kind: 'create';
  readonly cgroup: string;
  readonly label: string;
  readonly hierarchies: readonly string[];
}

export interface WriteFile {
  readonly kind: 'write';
  readonly cgroup: string;
  readonly label: string;
  readonly controller: Controller;
  readonly attribute: LimitKey;
  readonly file: string;
  readonly device?: string;
  /** Absent if the cgroup does not exist yet, or lacks the file. */
  readonly from: string | undefined;
  readonly to: string;
  readonly text: string;
  readonly direction: 'raise' | 'lower';
  /** If writing that value to the same cgroup fails, this one is skipped. */
  readonly needs?: LimitKey;
  readonly note?: string;
}

export interface MoveProcesses {
  readonly kind: 'move';
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

export interface RemoveCgroup {
  readonly kind: 'remove';
  readonly cgroup: string;
  readonly hierarchies: readonly string[];
  readonly processes: readonly number[];
}

export interface SetQuota {
  readonly kind: 'quota';
  readonly label: string;
  readonly uid: number;
  readonly mountPoint: string;
  readonly from: QuotaLimits;
  readonly to: QuotaLimits;
}

interface Prepare extends Preparation {
  readonly kind: 'prepare';
}

export type Operation =
  Prepare | CreateCgroup | WriteFile | MoveProcesses | RemoveCgroup | SetQuota;

export interface Plan {
  readonly operations: readonly Operation[];
}

export function planChanges(wanted: Wanted, observed: Observed): Plan {
  const creations: Operation[] = [];
  const raises: WriteFile[] = [];
  const tenantLowers: WriteFile[] = [];
  const resellerLowers: WriteFile[] = [];
  for (const cgroup of wanted.cgroups) {
    const found = observed.cgroups.get(cgroup.path);
    const missing = found?.missing ?? [];
    if (missing.length > 0) {
      creations.push({
        kind: 'create',
        cgroup: cgroup.path,
        label: cgroup.label,
        hierarchies: missing,
      });
    }
    const writes = writesOf(cgroup, found);
    creations.push(...writes.filter((each) => each.attribute === cgroupSetup));
    const limits = writes.filter((each) => each.attribute !== cgroupSetup);
    raises.push(...limits.filter((each) => each.direction === 'raise').toReversed());
    const lowers = cgroup.kind === 'tenant' ? tenantLowers : resellerLowers;
    lowers.push(...limits.filter((each) => each.direction === 'lower'));
  }
  return {
    operations: [
      ...observed.preparations.map((each): Prepare => ({ kind: 'prepare', ...each })),
      ...creations,
      ...raises,
      ...tenantLowers,
      ...quotaChanges(wanted.quotas, observed),
      ...removals(wanted, observed.orphans),
      ...resellerLowers,
    ],
  };
}

function writesOf(cgroup: WantedCgroup, found: ObservedCgroup | undefined): readonly WriteFile[] {
  const writes: WriteFile[] = [];
  const devices = new Map<string, ReadonlyMap<string, string>>();
  for (const setting of cgroup.settings) {
    const from =
      setting.device === undefined
        ? plainValue(setting, found)
        : deviceValue(setting, found, devices);
    if (from === setting.value) continue;
    if (setting.accepts?.((file) => found?.files.get(file)) === true) continue;
    writes.push(write(cgroup, setting, from));
  }
  for (const [file, lines] of devices) writes.push(...forgottenDevices(cgroup, file, lines));
  return writes;
}

/** A cgroup that is still to be created will have the kernel's initial values. */
function plainValue(setting: FileSetting, found: ObservedCgroup | undefined): string | undefined {
  const text = found?.files.get(setting.file);
  if (text !== undefined) return text.trimEnd();
  return found === undefined || found.missing.length > 0 ? setting.initial : undefined;
}

function deviceValue(
  setting: FileSetting,
  found: ObservedCgroup | undefined,
  parsed: Map<string, ReadonlyMap<string, string>>,
): string {
  let lines = parsed.get(setting.file);
  if (lines === undefined) {
    lines = parseDeviceLines(found?.files.get(setting.file) ?? '');
    parsed.set(setting.file, lines);
  }
  return lines.get(setting.device ?? '') ?? setting.initial;
}

/** Disks that still have limits but no longer carry tenants' files. */
function forgottenDevices(
  cgroup: WantedCgroup,
  file: string,
  lines: ReadonlyMap<string, string>,
): readonly WriteFile[] {
  const settings = cgroup.settings.filter((each) => each.file === file);
  const [model] = settings;
  if (model === undefined || lines.size === 0) return [];
  const isWanted = (device: string) => settings.some((each) => each.device === device);
  return [...lines]
    .filter(
      ([device, value]) => !isWanted(device) && /^\d+:\d+$/.test(device) && value !== model.initial,
    )
    .map(([device, from]) =>
      write(
        cgroup,
        {
          ...model,
          device,
          value: model.initial,
          write: `${device} ${model.initial}`,
        },
        from,
      ),
    );
}

function write(cgroup: WantedCgroup, setting: FileSetting, from: string | undefined): WriteFile {
  const lower = from === undefined || lowers(setting.file, from, setting.value);
  return {
    kind: 'write',
    cgroup: cgroup.path,
    label: cgroup.label,
    controller: setting.controller,
    attribute: setting.attribute,
    file: setting.file,
    from,
    to: setting.value,
    text: setting.write,
    direction: lower ? 'lower' : 'raise',
    ...(setting.device === undefined ? {} : { device: setting.device }),
    ...(setting.needs === undefined ? {} : { needs: setting.needs }),
    ...(setting.note === undefined || setting.value === setting.initial
      ? {}
      : { note: setting.note }),
  };
}

function quotaChanges(wanted: readonly WantedQuota[], observed: Observed): readonly SetQuota[] {
  const none: QuotaLimits = { spaceBytes: undefined, files: undefined };
  return wanted.flatMap(({ uid, mountPoint, label, spaceBytes, files }) => {
    const from = observed.quotas.get(placeKey({ uid, mountPoint })) ?? none;
    if (from.spaceBytes === spaceBytes && from.files === files) return [];
    return [{ kind: 'quota' as const, label, uid, mountPoint, from, to: { spaceBytes, files } }];
  });
}

/** The processes of a tenant with a new reseller are moved along; other cgroups are removed. */
function removals(wanted: Wanted, orphans: readonly OrphanCgroup[]): readonly Operation[] {
  const places = new Map(wanted.cgroups.map((each) => [lastName(each.path), each]));
  return orphans.flatMap((orphan): Operation[] => {
    const now = lastName(orphan.path).startsWith('u')
      ? places.get(lastName(orphan.path))
      : undefined;
    const remove: RemoveCgroup = {
      kind: 'remove',
      cgroup: orphan.path,
      hierarchies: orphan.hierarchies,
      processes: now === undefined ? orphan.processes : [],
    };
    if (now === undefined) return [remove];
    return [{ kind: 'move', from: orphan.path, to: now.path, label: now.label }, remove];
  });
}

const lastName = (path: string) => path.slice(parentOf(path).length).replace('/', '');
