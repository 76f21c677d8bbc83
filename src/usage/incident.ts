/**
 * Faults of one member and limit less than `quietMilliseconds` apart are one incident, which keeps
 * evidence: what was running, its pressure, and the value of the limit.
 */
import type { LimitKey } from '../limits/limit.ts';
import type { Severity } from './fault.ts';
import type { Member } from './member.ts';
import type { MetricKey } from './metrics.ts';

export interface Incident {
  /** Assigned by the store, ascending from 1. */
  readonly id: number;
  readonly member: Member;
  /** The account name of the time; empty if it was not recorded. */
  readonly name: string;
  readonly limit: LimitKey;
  /** The worst of its faults. */
  readonly severity: Severity;
  readonly inferred: boolean;
  /** First and last fault: milliseconds since 1970. */
  readonly begin: number;
  readonly end: number;
  readonly faults: number;
  /** The value of the limit, as written in the policy, and the line that set it: `policy.xml:12`. */
  readonly value: string;
  readonly from: string;
  readonly snapshots: number;
}

/** What one process was doing. Its command line is only for root and the tenant. */
export interface ProcessEvidence {
  readonly pid: number;
  /** Name of the program, at most 15 bytes. */
  readonly name: string;
  /** Arguments separated by spaces, cut at 4096 characters; the name in brackets if there are none. */
  readonly command: string;
  readonly state: string;
  readonly threads: number;
  /** CPU time since it started, in seconds; absent if it could not be read. */
  readonly cpuSeconds?: number;
  /** Resident memory in bytes. */
  readonly memoryBytes: number;
  /** From and to disks since it started, in bytes; absent if they could not be read. */
  readonly readBytes?: number;
  readonly writeBytes?: number;
  /** Absent if it could not be read. */
  readonly ageSeconds?: number;
  /** Of a php-fpm worker that is serving one. Only for root and the tenant. */
  readonly request?: ServedRequest;
}

/** A request that PHP is serving. */
export interface ServedRequest {
  readonly method: string;
  /**
   * As PHP has it, without the query string, at most 127 bytes: `/index.php` if the web server has every request of the
   * site go there.
   */
  readonly path: string;
  /** File name, at most 255 bytes. */
  readonly script: string;
  /** Since the worker accepted it. */
  readonly seconds: number;
}

/** A process killed by the OOM killer. */
export interface KilledProcess {
  readonly pid: number;
  readonly name: string;
  /** Resident memory when it was killed, in bytes; absent if the log does not have it. */
  readonly memoryBytes?: number;
}

/** A request that a web server refused. What it was for and who asked is only for root and the tenant. */
export interface RefusedRequest {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The first name of the vhost. */
  readonly site: string;
  /** An address; empty, as are method and URL, where it is not shown. */
  readonly client: string;
  readonly method: string;
  readonly url: string;
}

/** A symbolic link of the tenant that was not followed. Its path is only for root and the tenant. */
export interface RefusedLink {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Name of the program that followed it. */
  readonly program: string;
  /** Paths; empty where they are not shown, and the second where the kernel did not have it at hand. */
  readonly link: string;
  readonly target: string;
  /** The account that owns what it leads to. */
  readonly targetOwner: string;
}

/** What a tenant tried that leads past its jail. */
export interface RefusedTry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Name of the program. */
  readonly program: string;
  /** As it follows that name: `tried to make a user namespace`; empty where it is not shown. */
  readonly tried: string;
}

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The heaviest users first, at most 50. */
  readonly processes: readonly ProcessEvidence[];
  /** The total number. */
  readonly processCount: number;
  readonly usage: Readonly<Record<MetricKey, number>>;
  /** Processes killed by the OOM killer; absent if the kernel log cannot be read. */
  readonly killed?: readonly KilledProcess[];
  /** Some of the requests that were refused, for a limit that web servers enforce. */
  readonly requests?: readonly RefusedRequest[];
  /** Some of the links that were refused. */
  readonly links?: readonly RefusedLink[];
  /** Some of what was tried to get past the jail. */
  readonly tries?: readonly RefusedTry[];
}
