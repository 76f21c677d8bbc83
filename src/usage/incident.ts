/**
 * Faults of one member and limit less than `quietMilliseconds` apart are one incident, which keeps evidence: the
 * running processes, the pressure, and the value of the limit.
 */
import type { LimitKey } from '../limits/limit.ts';
import type { Severity } from './fault.ts';
import type { Member } from './member.ts';
import type { MetricKey } from './metrics.ts';

export interface Incident {
  /** The id, assigned by the store, ascending from 1. */
  readonly id: number;
  readonly member: Member;
  /** The account name at the time; empty if it was not recorded. */
  readonly name: string;
  readonly limit: LimitKey;
  /** The worst severity of its faults. */
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

/** One process's activity. Only root and the tenant see its command line. */
export interface ProcessEvidence {
  readonly pid: number;
  /** The program name, at most 15 bytes. */
  readonly name: string;
  /** Arguments separated by spaces, cut at 4096 characters; the name in brackets if it has none. */
  readonly command: string;
  readonly state: string;
  readonly threads: number;
  /** CPU time since it started, in seconds; absent if it could not be read. */
  readonly cpuSeconds?: number;
  /** Resident memory in bytes. */
  readonly memoryBytes: number;
  /** Traffic from and to disks since it started, in bytes; absent if it could not be read. */
  readonly readBytes?: number;
  readonly writeBytes?: number;
  /** Absent if it could not be read. */
  readonly ageSeconds?: number;
  /** The request that it serves, if it is a php-fpm worker. Only root and the tenant see it. */
  readonly request?: ServedRequest;
}

/** A request that PHP is serving. */
export interface ServedRequest {
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
  readonly name: string;
  /** Resident memory when it was killed, in bytes; absent if the log does not have it. */
  readonly memoryBytes?: number;
}

/** A request that a web server refused. Only root and the tenant see its URL and client. */
export interface RefusedRequest {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The first name of the vhost. */
  readonly site: string;
  /** An address; empty if it is not shown, like method and URL. */
  readonly client: string;
  readonly method: string;
  readonly url: string;
}

/** A symbolic link of the tenant that was not followed. Only root and the tenant see its path. */
export interface RefusedLink {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The name of the program that followed it. */
  readonly program: string;
  /** Paths; empty if they are not shown. `target` is also empty if the kernel did not have it at hand. */
  readonly link: string;
  readonly target: string;
  /** The account that owns the link's target. */
  readonly targetOwner: string;
}

/** An attempt of a tenant to get past its jail. */
export interface RefusedTry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The program's name. */
  readonly program: string;
  /** The attempt, worded to follow that name: `tried to make a user namespace`; empty if it is not shown. */
  readonly tried: string;
}

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The heaviest users first, at most 50. */
  readonly processes: readonly ProcessEvidence[];
  /** The total number of processes. */
  readonly processCount: number;
  readonly usage: Readonly<Record<MetricKey, number>>;
  /** Processes killed by the OOM killer; absent if the kernel log cannot be read. */
  readonly killed?: readonly KilledProcess[];
  /** Some of the refused requests, for a limit that web servers enforce. */
  readonly requests?: readonly RefusedRequest[];
  /** Some of the refused links. */
  readonly links?: readonly RefusedLink[];
  /** Some of the attempts to get past the jail. */
  readonly tries?: readonly RefusedTry[];
}
