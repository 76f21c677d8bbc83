/**
 * Faults of one member and limit less than `quietMilliseconds` apart are one incident, which keeps evidence: the
 * running processes, the pressure, and the value of the limit.
 */
import type { LimitKey } from '../limits/limit.ts';
import type { Evidence } from './evidence.ts';
import type { Severity } from './fault.ts';
import type { Member } from './member.ts';
import type { Usage } from './metrics.ts';

export interface Incident {
  /** The id, assigned by the store, ascending from 1. */
  readonly id: number;
  readonly member: Member;
  /** The account name at the time; empty if it was not recorded. */
  readonly name: string;
  /** The limit that was hit, or a capability's word. */
  readonly limit: LimitKey;
  /** The worst severity of its faults. */
  readonly severity: Severity;
  /** Whether the cause is inferred. */
  readonly inferred: boolean;
  /** The first fault, in milliseconds since 1970. */
  readonly begin: number;
  /** The last fault, in milliseconds since 1970. */
  readonly end: number;
  /** The number of faults. */
  readonly faults: number;
  /** The value of the limit, as written in the policy. */
  readonly value: string;
  /** The line of the policy that set the limit: `policy.xml:12`. */
  readonly from: string;
  /** The number of snapshots. */
  readonly snapshots: number;
}

/** One process's activity. Only root and the tenant see its command line. */
export interface ProcessEvidence {
  readonly pid: number;
  /** The program name, at most 15 bytes. */
  readonly name: string;
  /** Arguments separated by spaces, cut at 4096 characters; the name in brackets if it has none. */
  readonly command: string;
  /** The process's state, as `ps` shows it. */
  readonly state: string;
  /** The number of threads. */
  readonly threads: number;
  /** CPU time since it started, in seconds; absent if it could not be read. */
  readonly cpuSeconds?: number;
  /** Resident memory in bytes. */
  readonly memoryBytes: number;
  /** Bytes read from disks since it started; absent if that could not be read. */
  readonly readBytes?: number;
  /** Bytes written to disks since it started; absent if that could not be read. */
  readonly writeBytes?: number;
  /** Absent if it could not be read. */
  readonly ageSeconds?: number;
  /** The request that it serves, if it is a php-fpm worker. Only root and the tenant see it. */
  readonly request?: ServedRequest;
}

/** A request that PHP is serving. */
export interface ServedRequest {
  /** The HTTP method. */
  readonly method: string;
  /**
   * The path as PHP sees it, without the query string, at most 127 bytes: `/index.php` if the web server sends all of
   * the site's requests there.
   */
  readonly path: string;
  /** The file name, at most 255 bytes. */
  readonly script: string;
  /** The time since the worker accepted it. */
  readonly seconds: number;
}

/** A process killed by the OOM killer. */
export interface KilledProcess {
  readonly pid: number;
  /** The program name, at most 15 bytes. */
  readonly name: string;
  /** Resident memory when it was killed, in bytes; absent if the log does not have it. */
  readonly memoryBytes?: number;
}

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The heaviest users first, at most 50. */
  readonly processes: readonly ProcessEvidence[];
  /** The total number of processes. */
  readonly processCount: number;
  /** Usage by metric, as in the last tick. */
  readonly usage: Usage;
  /** Processes killed by the OOM killer; absent if the kernel log cannot be read. */
  readonly killed?: readonly KilledProcess[];
  /**
   * The CPU limit that was left for programs, in cores, since database servers used the rest of the incident's limit;
   * absent if nothing of them counted.
   */
  readonly cpuLimitNow?: number;
  /** Details about faults that a capability reported since the snapshot before. */
  readonly evidence?: Evidence;
}
