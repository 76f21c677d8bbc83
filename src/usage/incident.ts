/**
 * Faults of one member and limit less than `quietMilliseconds` apart are one incident, which keeps
 * evidence: what ran, how it was pressed, and what the limit was.
 */
import type { LimitKey } from '../limits/limit.ts';
import type { Severity } from './fault.ts';
import type { Member } from './member.ts';
import type { MetricKey } from './metrics.ts';

export interface Incident {
  /** Given by the store, ascending from 1. */
  readonly id: number;
  readonly member: Member;
  /** What it was called then; empty where that was not recorded. */
  readonly name: string;
  readonly limit: LimitKey;
  /** The worst of its faults. */
  readonly severity: Severity;
  readonly inferred: boolean;
  /** First and last fault: milliseconds since 1970. */
  readonly begin: number;
  readonly end: number;
  readonly faults: number;
  /** What the limit was, as the policy writes it, and where it was written: `policy.xml:12`. */
  readonly value: string;
  readonly from: string;
  readonly snapshots: number;
}

/** What one process was doing. Its command line is for root and the tenant alone. */
export interface ProcessEvidence {
  readonly pid: number;
  /** Name of the program, at most 15 bytes. */
  readonly name: string;
  /** Arguments separated by spaces, cut at 4096 characters; the name in brackets where there are none. */
  readonly command: string;
  readonly state: string;
  readonly threads: number;
  /** CPU time since it started, in seconds; absent where that could not be read. */
  readonly cpuSeconds?: number;
  /** Resident memory in bytes. */
  readonly memoryBytes: number;
  /** From and to disks since it started, in bytes; absent where that could not be read. */
  readonly readBytes?: number;
  readonly writeBytes?: number;
  /** Absent where that could not be read. */
  readonly ageSeconds?: number;
}

/** A process that the kernel's out-of-memory killer ended. */
export interface KilledProcess {
  readonly pid: number;
  readonly name: string;
}

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The largest users first, at most 50. */
  readonly processes: readonly ProcessEvidence[];
  /** How many there were in all. */
  readonly processCount: number;
  readonly usage: Readonly<Record<MetricKey, number>>;
  /** Which the kernel ended for want of memory; absent where the kernel log cannot be read. */
  readonly killed?: readonly KilledProcess[];
}
