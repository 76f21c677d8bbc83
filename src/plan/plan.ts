/**
 * Wanted − Observed → the operations that lead from one to the other, in an order in which each
 * can succeed. Pure: planning twice on an unchanged host gives the same plan, and an empty one on a
 * host that is as wanted.
 *
 * The order: set up the tree, create cgroups (parents first), raise (parents first), lower sites, remove unwanted
 * sites, lower tenants, move tenants whose place changed, remove unwanted tenants, lower resellers. Raising parents
 * before children and lowering children before parents never shows the kernel a child above its parent, which v1
 * refuses. A cgroup still counts as a child until it is removed.
 *
 * A tenant that is to be divided into parts is emptied first: v2 gives controllers only to parts of a cgroup without
 * processes of its own. A tenant that is no longer divided first gives up controllers, for the same reason.
 *
 * For systemd: write the files of slices, move tenants away and remove their files, let systemd read all files once,
 * then let it set each slice in which something runs. Processes move into a slice after that.
 */
import { lowers, parseDeviceLines } from '../limits/flat-file.ts';
import type { Controller, FileSetting, LimitKey } from '../limits/limit.ts';
import type { Observed, ObservedCgroup, Preparation, OrphanCgroup } from './observed.ts';
import { quotaKey, type QuotaLimits, type WantedQuota } from './quota.ts';
import {
  cgroupSetup,
  dividedCgroup,
  lastName,
  mainCgroup,
  parentOf,
  type UnitFile,
  type Wanted,
  type WantedCgroup,
} from './wanted.ts';

/** Creates a cgroup. */
export interface CreateCgroup {
  readonly kind: 'create';
  /** The path below the root cgroup. */
  readonly cgroup: string;
  /** The tenant, site or reseller, for people. */
  readonly label: string;
  /** The hierarchies that lack it. */
  readonly hierarchies: readonly string[];
}

/** Writes a value into a file of a cgroup. */
export interface WriteFile {
  readonly kind: 'write';
  /** The path below the root cgroup. */
  readonly cgroup: string;
  /** The tenant, site or reseller, for people. */
  readonly label: string;
  /** The cgroup controller. */
  readonly controller: Controller;
  /** The limit, as `LIMIT.ATTRIBUTE`. */
  readonly attribute: LimitKey;
  /** The file's name: `memory.max`. */
  readonly file: string;
  /** `MAJOR:MINOR`, in files with one line per device. */
  readonly device?: string;
  /** The current value; absent if the cgroup does not exist yet, or lacks the file. */
  readonly from: string | undefined;
  /** The value as the kernel prints it back. */
  readonly to: string;
  /** The value as it is written. */
  readonly text: string;
  /** Whether the limit is raised or lowered. */
  readonly direction: 'raise' | 'lower';
  /** A limit without which this one is skipped: writing it to the same cgroup must not fail. */
  readonly needs?: LimitKey;
  /** A remark for people. */
  readonly note?: string;
}

/** Moves the processes of a cgroup into another one. */
export interface MoveProcesses {
  readonly kind: 'move';
  /** The cgroup that the processes are in. */
  readonly from: string;
  /** The cgroup that they are moved to. */
  readonly to: string;
  readonly label: string;
}

/** Removes a cgroup that no tenant of the policy has. */
export interface RemoveCgroup {
  readonly kind: 'remove';
  /** The path below the root cgroup. */
  readonly cgroup: string;
  /** The hierarchies that have it. */
  readonly hierarchies: readonly string[];
  /** The pids of the processes in it. */
  readonly processes: readonly number[];
  /** The unit of a slice, of which only the file is removed. */
  readonly unit?: string;
}

/** Sets a disk quota of a uid on a file system. */
export interface SetQuota {
  readonly kind: 'quota';
  readonly label: string;
  readonly uid: number;
  /** The mount point of the file system. */
  readonly mountPoint: string;
  /** The quota before. */
  readonly from: QuotaLimits;
  /** The quota afterwards. */
  readonly to: QuotaLimits;
}

/** Writes the settings of a slice, which take effect once systemd has read them. */
export interface WriteUnit extends UnitFile {
  readonly kind: 'unit';
  /** The path below the root cgroup. */
  readonly cgroup: string;
  readonly label: string;
  /** The text before; absent if there was no file. */
  readonly from: string | undefined;
  /** The kernel settings that change at once, since something runs in the slice. */
  readonly writes: readonly WriteFile[];
}

/** Lets systemd read its files again. */
export interface ReloadUnits {
  readonly kind: 'reload';
}

/** Lets systemd set the cgroup of a slice in which something runs, which it would not do automatically. */
export interface RealizeUnit {
  readonly kind: 'realize';
  /** The path below the root cgroup. */
  readonly cgroup: string;
  readonly label: string;
  /** The unit of the slice. */
  readonly unit: string;
  /** The kernel settings that must change; none for a slice that is left to systemd. */
  readonly writes: readonly WriteFile[];
}

/** Prepares the host for cgroups. */
interface Prepare extends Preparation {
  readonly kind: 'prepare';
}

export type Operation =
  | Prepare
  | CreateCgroup
  | WriteFile
  | MoveProcesses
  | RemoveCgroup
  | SetQuota
  | WriteUnit
  | ReloadUnits
  | RealizeUnit;

export interface Plan {
  readonly operations: readonly Operation[];
}

export function planChanges(wanted: Wanted, observed: Observed): Plan {
  const creations = new Creations(observed);
  const raises: WriteFile[] = [];
  const lowers = {
    site: [] as WriteFile[],
    tenant: [] as WriteFile[],
    reseller: [] as WriteFile[],
  };
  for (const cgroup of wanted.cgroups) {
    if (cgroup.unit !== undefined) continue;
    const writes = writesOf(cgroup, observed.cgroups.get(cgroup.path));
    creations.add(
      cgroup,
      writes.filter((each) => each.attribute === cgroupSetup),
    );
    const limits = writes.filter((each) => each.attribute !== cgroupSetup);
    raises.push(...limits.filter((each) => each.direction === 'raise').toReversed());
    lowers[levelOf[cgroup.kind]].push(...limits.filter((each) => each.direction === 'lower'));
  }
  const [parts, others] = removals(
    wanted,
    observed.orphans.filter(({ unit }) => unit === undefined),
  );
  return {
    operations: [
      ...observed.preparations.map((each): Prepare => ({ kind: 'prepare', ...each })),
      ...creations.operations,
      ...raises,
      ...lowers.site,
      ...parts,
      ...lowers.tenant,
      ...quotaChanges(wanted.quotas, observed),
      ...unitChanges(wanted, observed),
      ...others,
      ...lowers.reseller,
    ],
  };
}

const levelOf = {
  root: 'reseller',
  slices: 'reseller',
  reseller: 'reseller',
  tenant: 'tenant',
  main: 'site',
  site: 'site',
} as const;

/** Collects the operations that must come before any limit is written. */
class Creations {
  readonly #operations: Operation[] = [];
  readonly #observed: Observed;
  /** The set-up of the last tenant, which must have no processes of its own by then if it has parts. */
  #held: readonly WriteFile[] = [];

  constructor(observed: Observed) {
    this.#observed = observed;
  }

  get operations(): readonly Operation[] {
    this.#release();
    return this.#operations;
  }

  /** Adds a cgroup. `setup`: writes that its children need. */
  add({ path: cgroup, kind, label }: WantedCgroup, setup: readonly WriteFile[]): void {
    if (kind !== 'main') this.#release();
    const hierarchies = this.#observed.cgroups.get(cgroup)?.missing ?? [];
    if (hierarchies.length > 0) {
      this.#operations.push({ kind: 'create', cgroup, label, hierarchies });
    }
    if (kind === 'main') {
      const from = parentOf(cgroup);
      const astray = this.#observed.cgroups.get(from)?.astray ?? [];
      if (astray.length > 0) this.#operations.push({ kind: 'move', from, to: cgroup, label });
    }
    this.#held = [...this.#held, ...setup];
    if (kind !== 'tenant') this.#release();
  }

  #release(): void {
    this.#operations.push(...this.#held);
    this.#held = [];
  }
}

const reload: ReloadUnits = { kind: 'reload' };

function unitChanges(wanted: Wanted, observed: Observed): readonly Operation[] {
  const files: WriteUnit[] = [];
  const realized: RealizeUnit[] = [];
  for (const { unit, ...cgroup } of wanted.cgroups) {
    if (unit === undefined) continue;
    const found = observed.cgroups.get(cgroup.path);
    const writes = found?.unit?.active === true ? writesOf(cgroup, found) : [];
    const { path, label } = cgroup;
    const from = found?.unit?.text;
    if (from !== unit.text)
      files.push({ kind: 'unit', cgroup: path, label, ...unit, from, writes });
    if (writes.length > 0) {
      realized.push({ kind: 'realize', cgroup: path, label, unit: unit.unit, writes });
    }
  }
  const orphans = observed.orphans.filter(({ unit }) => unit !== undefined);
  const left = orphans.flatMap(({ path, unit }): RealizeUnit[] =>
    unit?.active === true
      ? [{ kind: 'realize', cgroup: path, label: unit.unit, unit: unit.unit, writes: [] }]
      : [],
  );
  // If only the kernel differs, systemd may have been told to set other values since it read the files.
  const first = [...files, ...removals(wanted, orphans).flat()];
  const isChanged = first.length > 0 || realized.length > 0 || observed.stale === true;
  return [
    ...first,
    ...(isChanged ? [reload] : []),
    ...realized,
    ...left,
    // Setting the slices has left settings of their own.
    ...(left.length > 0 ? [reload] : []),
  ];
}

function writesOf(
  cgroup: Omit<WantedCgroup, 'unit'>,
  found: ObservedCgroup | undefined,
): readonly WriteFile[] {
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

/** Returns the current value. A cgroup that does not exist yet will have the kernel's initial values. */
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

/** Returns disks that still have limits but no longer carry tenants' files. */
function forgottenDevices(
  cgroup: Omit<WantedCgroup, 'unit'>,
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

function write(
  cgroup: Omit<WantedCgroup, 'unit'>,
  setting: FileSetting,
  from: string | undefined,
): WriteFile {
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
  return wanted.flatMap(({ uid, mountPoint, label, ...to }) => {
    const from = observed.quotas.get(quotaKey({ uid, mountPoint })) ?? none;
    const spaceBytes = to.spaceBytes === 'kept' ? from.spaceBytes : to.spaceBytes;
    const files = to.files === 'kept' ? from.files : to.files;
    if (from.spaceBytes === spaceBytes && from.files === files) return [];
    return [{ kind: 'quota' as const, label, uid, mountPoint, from, to: { spaceBytes, files } }];
  });
}

/**
 * Removes parts of tenants that stay where they are, and other cgroups. A remaining tenant's processes move to its new
 * place, or out of a removed part.
 */
function removals(
  wanted: Wanted,
  orphans: readonly OrphanCgroup[],
): readonly [parts: readonly Operation[], others: readonly Operation[]] {
  const places = new Map(wanted.cgroups.map((each) => [each.path, each]));
  const tenants = new Map(
    wanted.cgroups
      .filter(({ kind }) => kind === 'tenant')
      .map((each) => [lastName(each.path), each]),
  );
  const parts: Operation[] = [];
  const others: Operation[] = [];
  for (const orphan of orphans) {
    const divided = dividedCgroup(orphan.path);
    const place = tenants.get(lastName(divided ?? orphan.path));
    const stays = divided !== undefined && divided === place?.path;
    const into = stays ? parts : others;
    // Processes in a site's slice keep running in the tenant's slice around it.
    const isInPlace = stays && orphan.unit !== undefined;
    if (place !== undefined && !isInPlace) {
      const part = divided === undefined ? 'main' : lastName(orphan.path);
      const to = partOf(place, part, places);
      into.push({ kind: 'move', from: orphan.path, to, label: place.label });
    }
    // A divided tenant's parts are removed with the whole.
    if (divided !== undefined && !stays && orphan.unit === undefined) continue;
    into.push({
      kind: 'remove',
      cgroup: orphan.path,
      hierarchies: orphan.hierarchies,
      processes: place === undefined ? orphan.processes : [],
      ...(orphan.unit === undefined ? {} : { unit: orphan.unit.unit }),
    });
  }
  return [parts, others];
}

/** Returns the part of that name, or else the one for everything. */
function partOf(
  { path }: WantedCgroup,
  part: string,
  places: ReadonlyMap<string, WantedCgroup>,
): string {
  const found = [`${path}/${part}`, mainCgroup(path)].find((each) => places.has(each));
  return found ?? path;
}
