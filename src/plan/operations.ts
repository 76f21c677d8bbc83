/** The operations of a plan, which drivers execute. */
import type { Controller, LimitKey } from '../limits/limit.ts';
import type { Preparation } from './observed.ts';
import type { QuotaLimits } from './quota.ts';
import type { UnitFile } from './wanted.ts';

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
  /** The cgroup for processes that came after all others were moved there; absent if they are not moved. */
  readonly to?: string;
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
