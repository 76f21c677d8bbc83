/** The contribution of a capability to the agent. */
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { Policy } from '../policy/policy.ts';
import type { Evidence } from '../usage/evidence.ts';
import type { Fault } from '../usage/fault.ts';
import type { Member } from '../usage/member.ts';
import type { NetworkCounters } from '../usage/part-keys.ts';
import type { AppRow } from '../policy/apps/app-state.ts';
import type { OwnAppTexts } from '../policy/apps/own-apps.ts';
import type { UidOwner } from '../policy/accounts/uid-owner.ts';
import type { LimitNumbers, TopRow } from './api/api.ts';
import type { MailCount, SentByWeb } from './api/usage-api.ts';
import type { HttpResult } from './api/http-result.ts';
import type { FleetAgent } from './fleet/fleet-agent.ts';

/** A fault that no counter of the kernel shows, with the details known about it. */
export interface ReportedFault extends Fault {
  readonly evidence: Evidence;
}

/** A notice about the host for the administrator, never for a tenant: something is not in force, or was refused. */
export interface Alarm {
  /** The subject, the same for all alarms about it: `modules gate`. */
  readonly about: string;
  /** The title, which follows the host's name: `the gate for kernel modules is not in force`. */
  readonly title: string;
  readonly text: string;
  /** How often it happened since the last one; absent for a state. */
  readonly count?: number;
}

/** Something that protects the host, as metrics show it. */
export interface Protection {
  /** The guard. */
  readonly name: 'symlink-guard' | 'strict-placement' | 'jails' | 'modules-gate';
  /** The state; `unknown`: its programs are loaded, but their state cannot be read. */
  readonly state: ProtectionState;
  /**
   * The number of refusals, or of those there would have been; it may begin anew at any time. Absent if it is not
   * known.
   */
  readonly refused?: number;
}

export const protectionStates = ['on', 'watch', 'off', 'unknown'] as const;
export type ProtectionState = (typeof protectionStates)[number];

/** A change that a tenant makes to its own applications. */
export type OwnAppChange =
  | { readonly kind: 'set'; readonly name: string; readonly texts: OwnAppTexts }
  | { readonly kind: 'remove'; readonly name: string };

/** The applications of tenants, as far as tenants may see and change them. */
export interface TenantApps {
  /** Returns the applications of a tenant, and how many it may define itself. */
  readonly list: (
    uid: number,
  ) => Promise<HttpResult<{ readonly max: number; readonly apps: readonly AppRow[] }>>;
  /** Checks a change of `owner`, who has the uid now. Returns what keeps it on disk. */
  readonly prepare: (
    uid: number,
    owner: UidOwner,
    change: OwnAppChange,
  ) => HttpResult<() => Result<void, Problem>>;
  /** Makes the host what the policy and the definitions say. */
  readonly apply: () => Promise<void>;
  /** Whether the host was as the change says when it was last seen. */
  readonly isInForce: (uid: number, change: OwnAppChange) => boolean;
}

/** The use of the host's database servers by one tenant, since the agent started. */
export interface DatabaseUse {
  /** The time at which the servers were last asked, by a monotonic clock. */
  readonly atSeconds: number;
  /** The CPU time; absent if a server does not count it. */
  readonly cpuSeconds?: number;
  /** The number of connections now; absent if a server has more than can be counted. */
  readonly connections?: number;
  /** The time for which its programs were paused. */
  readonly pausedSeconds: number;
}

/** The use of the network by one tenant. */
export interface NetworkUse extends NetworkCounters {
  /** The time at which the counters were read, by a monotonic clock. */
  readonly atSeconds: number;
}

export interface AgentPart extends Partial<AsyncDisposable> {
  /**
   * Called with a policy that has been applied, and the marks of homes by uid. Must not throw, nor take long; this holds
   * for all of them.
   */
  readonly adopt?: (policy: Policy, homes: ReadonlyMap<number, string>) => void;
  readonly apps?: TenantApps;
  readonly fleet?: FleetAgent;
  /** Returns the faults since the last call. The caller drops faults of former members. */
  readonly takeFaults?: () => readonly ReportedFault[];
  /** Returns the time since when web servers report the requests that they refuse; undefined if they do not. */
  readonly entriesCountedSince?: () => number | undefined;
  /**
   * Returns the names of the tenant's sites that web servers serve. If `wanted` is not known to be one, web servers are
   * asked again, though not each time.
   */
  readonly servedSites?: (
    uid: number,
    wanted: string,
  ) => Promise<Result<ReadonlySet<string>, Problem>>;
  /** Returns the alarms since the last call; called after each tick. */
  readonly takeAlarms?: () => readonly Alarm[];
  /** Returns the current state; called for each page of metrics. */
  readonly protection?: () => Protection;
  /**
   * Counts the mail of a tenant that has had its uid since `tenantSince`, in milliseconds since 1970. Undefined if it
   * is not known. Called for each page of metrics.
   */
  readonly mail?: (uid: number, tenantSince: number) => MailCount | undefined;
  /**
   * Returns what web servers have sent for a tenant that has had its uid since `tenantSince`, in milliseconds since 1970.
   * Undefined if no access log shows it.
   */
  readonly sentByWeb?: (uid: number, tenantSince: number) => SentByWeb | undefined;
  /** Returns the use by a tenant; undefined while none is asked, or one does not answer: what it used there is unknown. */
  readonly databaseUse?: (uid: number) => DatabaseUse | undefined;
  /** Returns the use by a tenant; undefined while no program counts it, or its counters cannot be read. */
  readonly networkUse?: (uid: number) => NetworkUse | undefined;
  /** Returns the CPU limit of now, in cores, while it is lowered by what database servers use for a member. */
  readonly cpuLimitNow?: (member: Member) => number | undefined;
  /** Called after each tick; `rows` computes what each member used. */
  readonly afterTick?: (rows: () => readonly TopRow[], defaults: LimitNumbers) => void;
}

/** Returns a member's CPU limit of now, in cores, while it is lowered; undefined for all others. */
export const cpuLimitNow = (parts: readonly AgentPart[], member: Member): number | undefined =>
  parts.find((part) => part.cpuLimitNow)?.cpuLimitNow?.(member);
