/**
 * What a limit is: its words in the policy, and how each kind of kernel holds it.
 *
 * One file a limit, one row in `limits.ts`. Everything derives from these rows: the parser, the
 * schema, `explain`, the reference page, completion, the plan, `doctor` and the readings.
 */
import type { Quantity, QuantityKind, QuantityTypes, Unlimited } from '../base/quantity.ts';

/** The kernel's resource controllers, by their cgroup v2 names. v1 calls `io` `blkio`. */
export type Controller = 'cpu' | 'memory' | 'io' | 'pids';

export interface Attribute<Kind extends QuantityKind = QuantityKind> {
  readonly kind: Kind;
  /** In force where no line of the policy says anything. */
  readonly fallback: QuantityTypes[Kind] | Unlimited;
  readonly unlimited: boolean;
  /** Smallest value that means something; what lies under it is an error. */
  readonly min: number;
  readonly summary: string;
}

/** One value in one kernel file. */
export interface FileSetting {
  readonly controller: Controller;
  readonly file: string;
  /** `MAJOR:MINOR`, in files with a line a device. */
  readonly device?: string;
  /** As the kernel prints it back. */
  readonly value: string;
  /** As it must be written; the same as `value` unless the kernel prints another form. */
  readonly write: string;
  /** What a new cgroup has. */
  readonly initial: string;
  readonly attribute: LimitKey;
  /** Another value of the cgroup without which the kernel will not take this one. */
  readonly needs?: LimitKey;
  /** Where the agent shifts values: whether what stands in the cgroup's files will do as it is. */
  readonly accepts?: (read: (file: string) => string | undefined) => boolean;
  /** For people, where the value alone does not say what it is. */
  readonly note?: string;
}

/** Facts of this host that decide what is written. */
export interface SettingContext {
  readonly pageBytes: number;
  /** `MAJOR:MINOR` of the disks that carry tenants' files. */
  readonly devices: readonly string[];
  /** Names of the files that this kernel gives a cgroup; a missing one is not written. */
  readonly files: ReadonlySet<string>;
  /** The values of the reseller above, where there is one. */
  readonly parentLimits?: LimitValues;
  /** Whether an agent runs, which shifts caps within a total. */
  readonly shifted?: boolean;
}

export type Level = 'full' | 'partial' | 'none';

/** What a limit gets on this host, and why it is not more. */
export interface Support {
  readonly level: Level;
  readonly reason?: string;
  readonly help?: string;
}

/** Facts that decide how well a limit is held. */
export interface SupportContext extends SettingContext {
  readonly controllers: ReadonlySet<Controller>;
  readonly fileSystems: readonly FileSystemFacts[];
}

/** A mounted file system that holds, or may hold, tenants' files. */
export interface FileSystemFacts {
  readonly mountPoint: string;
  readonly type: string;
  /** `MAJOR:MINOR` of the disks below it, partitions resolved; none if it has no block device. */
  readonly devices: readonly string[];
  /** The device file of its disk or partition, where it has one. */
  readonly node: string | undefined;
  /** Whether user quotas are accounted and enforced there. */
  readonly userQuota: boolean;
}

/** Counters of one cgroup, raw, as one moment found them. */
export interface Counters {
  cpuMicroseconds: number;
  throttledPeriods: number;
  throttledMicroseconds: number;
  /** Page cache included. */
  memoryBytes: number;
  /** The most since the reading before, as far as the kernel says it; 0 where it does not. */
  memoryPeakBytes: number;
  cacheBytes: number;
  /** Times that an allocation ran into the limit. */
  memoryHits: number;
  oomKills: number;
  readBytes: number;
  writeBytes: number;
  reads: number;
  writes: number;
  processes: number;
  /** Processes and their threads, which is what the limit counts. */
  threads: number;
  /** The most since the reading before, as far as the kernel says it; 0 where it does not. */
  threadsPeak: number;
  /** Forks refused. */
  forksRefused: number;
  /** Time in which at least one thread waited for the resource; only cgroup v2 counts it. */
  cpuPressureMicroseconds: number;
  memoryPressureMicroseconds: number;
  ioPressureMicroseconds: number;
}

/** What a tenant notices of a limit, from bad to worst. */
export const severities = ['throttled', 'refused', 'killed'] as const;
export type Severity = (typeof severities)[number];

/** How it is known that a limit was hit. */
export interface FaultRule {
  readonly attribute: string;
  readonly severity: Severity;
  /** Each growth by one is one fault; where `inferred`, growth at the limit's rate is one fault. */
  readonly counter: keyof Counters;
  /** Another counter whose growth is added, for a limit on a sum. */
  readonly plus?: keyof Counters;
  readonly inferred: boolean;
  /**
   * Then `counter` is a level, and this its high-water mark: each one by which it stood further
   * above the limit than at the tick before is one fault.
   */
  readonly peak?: PeakCounter;
  /** Where it was hit and nobody noticed: `value` is the limit in force. */
  readonly unless?: (counters: Counters, value: number) => boolean;
}

/** Counters that are high-water marks. */
export type PeakCounter = 'memoryPeakBytes' | 'threadsPeak';

/** A kernel file that holds counters. */
export interface CounterFile {
  readonly controller: Controller | 'cpuacct';
  readonly file: string;
  /** Read only when this counter has changed: the file is costly, or cannot change without it. */
  readonly follows?: keyof Counters;
  /** Whether it tells that something runs, or ran since the last time: the others can then wait. */
  readonly indicatesActivity?: boolean;
  /**
   * The file is a high-water mark, and this its only counter. Where a write begins the mark anew,
   * each reading has one of its own; elsewhere it is that of the cgroup's whole life, and says
   * something of the time since the reading before only when it has grown.
   */
  readonly peak?: PeakCounter;
  /** Adds what `text` says to `into`; lines that it does not know are passed over. */
  readonly parse: (text: string, into: Partial<Counters>) => void;
}

/** How one kind of kernel holds a limit. */
export interface KernelSide {
  /**
   * The files, in the order in which lower values must be written; higher ones are written in
   * reverse. (v1: `memory.limit_in_bytes` may never exceed `memory.memsw.limit_in_bytes`.)
   */
  readonly settings: (values: LimitValues, context: SettingContext) => readonly FileSetting[];
  readonly counters: readonly CounterFile[];
  readonly support: (attribute: string, context: SupportContext) => Support;
}

export interface Limit {
  readonly name: string;
  readonly summary: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly faults: readonly FaultRule[];
  readonly cgroup2: KernelSide;
  readonly cgroup1: KernelSide;
}

/** `LIMIT.ATTRIBUTE`, for example `memory.soft`. */
export type LimitKey = `${string}.${string}`;
export type LimitValues = Readonly<Partial<Record<LimitKey, Quantity>>>;

export const full: Support = { level: 'full' };
export const notYet: Support = {
  level: 'none',
  reason: 'this version of Bulkhead does not hold it yet',
};

export function missingController(controller: string): Support {
  return {
    level: 'none',
    reason: `the ${controller} controller is not available to Bulkhead`,
    help: `mount or enable the ${controller} cgroup controller (kernel command line: no cgroup_disable=${controller})`,
  };
}

/** `value` is both what is written and what is read back, unless `write` says otherwise. */
export function setting(
  attribute: LimitKey,
  controller: Controller,
  file: string,
  value: string,
  initial: string,
  write = value,
): FileSetting {
  return { attribute, controller, file, value, initial, write };
}
