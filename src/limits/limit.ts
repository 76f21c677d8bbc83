/**
 * The definition of a limit: its attributes in the policy, and how each version of cgroups enforces it.
 *
 * One file per limit, one row in `limits.ts`. The parser, the schema, `explain`, the reference page, completion, the
 * plan, the text of systemd slices and `doctor` are derived from these rows. A limit that needs a controller or a
 * counter of its own extends `Controller` or `Counters` here.
 */
import { weakSupport, type Support } from './support.ts';
import type {
  Quantity,
  QuantityKind,
  QuantityTypes,
  Unlimited,
} from '../../packages/base/quantity.ts';

/** The kernel's resource controllers, by their cgroup v2 names. v1 calls `io` `blkio`. */
export type Controller = 'cpu' | 'memory' | 'io' | 'pids';

/** An attribute with one of a few words, which no kernel file and no counter has. */
export interface WordAttribute {
  readonly words: readonly string[];
  readonly summary: string;
}

export interface Attribute<Kind extends QuantityKind = QuantityKind> {
  readonly kind: Kind;
  /** The value in force if no line of the policy sets it. */
  readonly fallback: QuantityTypes[Kind] | Unlimited;
  readonly unlimited: boolean;
  /** The smallest meaningful value; lower values are errors. */
  readonly min: number;
  /**
   * The minimum of former versions. A policy that has a value from there on is still read: the value counts as `min`, with
   * a warning. Commands refuse it.
   */
  readonly raisedFrom?: number;
  readonly summary: string;
  /**
   * Whether it guarantees something instead of limiting it. The kernel grants it only within the same value of each
   * cgroup above, which gets the sum: `policy/guarantees/`.
   */
  readonly isGuarantee?: true;
}

/** One value in one kernel file. */
export interface FileSetting<File extends string = string> {
  readonly controller: Controller;
  readonly file: File;
  /** `MAJOR:MINOR`, in files with one line per device. */
  readonly device?: string;
  /** The value as the kernel prints it back. */
  readonly value: string;
  /** The value as it must be written; the same as `value` unless the kernel prints a different form. */
  readonly write: string;
  /** The value of a new cgroup. */
  readonly initial: string;
  readonly attribute: LimitKey;
  /** Another value of the cgroup without which the kernel will not accept this one. */
  readonly needs?: LimitKey;
  /** Checks whether the current contents of the cgroup's files comply, for values that the agent shifts. */
  readonly accepts?: (read: (file: string) => string | undefined) => boolean;
  /** A remark for people, if the value is not self-explanatory. */
  readonly note?: string;
}

/** Host facts that determine the values to write. */
export interface SettingContext {
  readonly pageBytes: number;
  /** `MAJOR:MINOR` of the disks that carry tenants' files. */
  readonly devices: readonly string[];
  /** Names of the files that a cgroup has on this kernel; a missing one is not written. */
  readonly files: ReadonlySet<string>;
  /** The values of the reseller, if there is one. */
  readonly parentLimits?: LimitValues;
  /** Whether an agent is running, which shifts caps within a total. */
  readonly shifted?: boolean;
}

/** Facts that determine how well a limit can be enforced. */
export interface SupportContext extends SettingContext {
  readonly controllers: ReadonlySet<Controller>;
  readonly fileSystems: readonly FileSystemFacts[];
  /** Whether the kernel passes a cgroup's guarantees on to the cgroups in it: `memory_recursiveprot`; only on v2. */
  readonly isProtectionRecursive: boolean;
  /** Whether the kernel reclaims memory by its multi-gen LRU, which protects guarantees only once. */
  readonly usesMultiGenLru: boolean;
}

/** A mounted file system that contains, or may contain, tenants' files. */
export interface FileSystemFacts {
  readonly mountPoint: string;
  readonly type: string;
  /** `MAJOR:MINOR` of the disks below it, partitions resolved; none if it has no block device. */
  readonly devices: readonly string[];
  /** The device file of its disk or partition, if it has one. */
  readonly node: string | undefined;
  /** Whether user quotas are accounted and enforced there. */
  readonly userQuota: boolean;
}

/** Raw counters of one cgroup at one moment. */
export interface Counters {
  /** CPU time used. */
  cpuMicroseconds: number;
  /** The number of periods in which it was throttled at the CPU limit. */
  throttledPeriods: number;
  /** The time for which it was throttled, summed over all cores. */
  throttledMicroseconds: number;
  /** Memory in use, including page cache. */
  memoryBytes: number;
  /** The peak since the previous sample, if the kernel provides it; otherwise 0. */
  memoryPeakBytes: number;
  /** The page cache included in it. */
  cacheBytes: number;
  /** The number of allocations that hit the limit. */
  memoryHits: number;
  /** The number of processes killed because the limit was reached. */
  oomKills: number;
  /** Bytes read from disks. */
  readBytes: number;
  /** Bytes written to disks. */
  writeBytes: number;
  /** The number of read operations. */
  reads: number;
  /** The number of write operations. */
  writes: number;
  /** The number of processes now. */
  processes: number;
  /** The number of processes and threads now; the limit counts both. */
  threads: number;
  /** The peak since the previous sample, if the kernel provides it; otherwise 0. */
  threadsPeak: number;
  /** The number of refused forks. */
  forksRefused: number;
  /** The time for which at least one thread waited for CPU time; only on cgroup v2. */
  cpuPressureMicroseconds: number;
  /** The time for which at least one thread waited for memory; only on cgroup v2. */
  memoryPressureMicroseconds: number;
  /** The time for which at least one thread waited for disks; only on cgroup v2. */
  ioPressureMicroseconds: number;
}

/**
 * The effects of a hit limit on a tenant, from none to worst; `observed`: none, since the policy only observes its
 * limits.
 */
export const severities = ['observed', 'throttled', 'refused', 'killed'] as const;
export type Severity = (typeof severities)[number];

/** A rule that detects hits of a limit. */
export interface FaultRule {
  readonly attribute: string;
  readonly severity: Severity;
  /** Each increment is one fault; if `inferred`, growth at the limit's rate is one fault. */
  readonly counter: keyof Counters;
  /** A second counter whose growth is added, for a limit on a sum. */
  readonly plus?: keyof Counters;
  readonly inferred: boolean;
  /**
   * The high-water mark of `counter`, which is a level if this is set. Each increment of the excess over the limit
   * since the previous tick is one fault.
   */
  readonly peak?: PeakCounter;
  /** Whether a hit had no effect; `value` is the limit in force. */
  readonly unless?: (counters: Counters, value: number) => boolean;
}

/** Counters that are high-water marks. */
export type PeakCounter = 'memoryPeakBytes' | 'threadsPeak';

/** A kernel file with counters. */
export interface CounterFile {
  readonly controller: Controller | 'cpuacct';
  readonly file: string;
  /**
   * A counter without whose change this file is not read: the file is expensive to read, or cannot change without it.
   */
  readonly follows?: keyof Counters;
  /**
   * Whether the file shows that something is running, or ran since the last sample; if nothing did, the others need not
   * be read.
   */
  readonly indicatesActivity?: boolean;
  /**
   * The file is a high-water mark, and this is its only counter. If a write resets the mark, each sample has its own.
   * Otherwise it covers the lifetime of the cgroup, and applies to the time since the previous sample only if it has
   * grown.
   */
  readonly peak?: PeakCounter;
  /** Adds the counters in `text` to `into`; unknown lines are skipped. */
  readonly parse: (text: string, into: Partial<Counters>) => void;
}

/** The release that introduced a kernel file, 405 for Linux 4.5; `configured`: depends on how the kernel was built. */
export type Since = number | 'configured';

/**
 * How systemd sets a file of a slice's cgroup: by the setting of that name, which takes the file's value, by lines made
 * of all settings of the file, or not at all. Source: systemd.resource-control(5), version 257.
 */
export type SystemdSetting =
  | 'none'
  | 'CPUWeight'
  | 'MemoryLow'
  | 'MemoryHigh'
  | 'MemoryMax'
  | 'MemorySwapMax'
  | 'TasksMax'
  | SystemdLines;

export interface SystemdLines {
  /** Returns the nearest value that systemd can set; the same setting if this is absent. */
  readonly rounded?: (setting: FileSetting) => FileSetting;
  readonly lines: (settings: readonly FileSetting[]) => readonly string[];
}

/** One cgroup version's way of enforcing a limit. `File` names all files that its settings may have. */
export interface KernelSide<File extends string = string> {
  /**
   * Returns the settings of files, in the order in which lower values must be written; higher ones are written in
   * reverse. (v1: `memory.limit_in_bytes` may never exceed `memory.memsw.limit_in_bytes`.)
   */
  readonly settings: (values: LimitValues, context: SettingContext) => readonly FileSetting<File>[];
  readonly since: Readonly<Record<File, Since>>;
  readonly counters: readonly CounterFile[];
  readonly support: (attribute: string, context: SupportContext) => Support;
}

/** The cgroup v2 way, which systemd may have to take. */
export interface KernelSide2<File extends string = string> extends KernelSide<File> {
  readonly systemd: Readonly<Record<File, SystemdSetting>>;
}

export interface Limit {
  readonly name: string;
  readonly summary: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Attributes of its element that are no quantities. */
  readonly words?: Readonly<Record<string, WordAttribute>>;
  readonly faults: readonly FaultRule[];
  /** Faults that another program reports, since no kernel counter shows them. */
  readonly reported?: readonly Pick<FaultRule, 'attribute' | 'severity'>[];
  readonly cgroup2: KernelSide2;
  readonly cgroup1: KernelSide;
}

/** `LIMIT.ATTRIBUTE`, for example `memory.soft`. */
export type LimitKey = `${string}.${string}`;
export type LimitValues = Readonly<Partial<Record<LimitKey, Quantity>>>;

export const full: Support = { level: 'full' };

/** A limit without cgroup files. */
export const withoutFiles = (support: KernelSide['support']): KernelSide2 => ({
  settings: () => [],
  since: {},
  systemd: {},
  counters: [],
  support,
});

export function missingController(controller: string): Support {
  return weakSupport('none', [{ code: 'no controller', value: controller }], {
    code: 'enable controller',
    value: controller,
  });
}

/** Creates a setting. `value` is both what is written and what is read back, unless `write` is given. */
export function setting<File extends string>(
  attribute: LimitKey,
  controller: Controller,
  file: File,
  value: string,
  initial: string,
  write = value,
): FileSetting<File> {
  return { attribute, controller, file, value, initial, write };
}
