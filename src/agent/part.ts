/** What a capability adds to the agent. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import type { Policy } from '../policy/policy.ts';
import type { Fault } from '../usage/fault.ts';
import type { RefusedLink, RefusedRequest, RefusedTry } from '../usage/incident.ts';
import type { LimitNumbers, MailCount, TopRow } from './api/api.ts';

/** A fault that no counter of the kernel shows, with what is known of it. */
export interface ReportedFault extends Fault {
  readonly requests: readonly RefusedRequest[];
  readonly links?: readonly RefusedLink[];
  readonly tries?: readonly RefusedTry[];
}

/** What the administrator has to know of the host, and no tenant: what is not in force, or was refused. */
export interface Alarm {
  /** The same for all that are about the same: `modules gate`. */
  readonly about: string;
  /** As it follows the name of the host: `the gate for kernel modules is not in force`. */
  readonly title: string;
  readonly text: string;
  /** How often it happened since the last one; absent for a state. */
  readonly count?: number;
}

/** Something that protects the host, as metrics show it. */
export interface Protection {
  readonly name: 'symlink-guard' | 'strict-placement' | 'jails' | 'modules-gate';
  /** `unknown`: its programs are there, and what they do cannot be read. */
  readonly state: ProtectionState;
  /** What it refused, or would have; it may begin anew at any time. Absent where it is not known. */
  readonly refused?: number;
}

export const protectionStates = ['on', 'watch', 'off', 'unknown'] as const;
export type ProtectionState = (typeof protectionStates)[number];

export interface AgentPart extends Partial<AsyncDisposable> {
  /** Called with a policy that has been applied. Must not throw, nor take long; this holds for all of them. */
  readonly adopt?: (policy: Policy) => void;
  /** The faults since the last call; those of members that there are not any more are left out. */
  readonly takeFaults?: () => readonly ReportedFault[];
  /**
   * The names of the sites of a tenant that are served; web servers are asked again where `wanted` is not known to be one,
   * though not each time.
   */
  readonly servedSites?: (
    uid: number,
    wanted: string,
  ) => Promise<Result<ReadonlySet<string>, Problem>>;
  /** What has to be told since the last call, after each tick. */
  readonly takeAlarms?: () => readonly Alarm[];
  /** As it is now; asked for each page of metrics. */
  readonly protection?: () => Protection;
  /**
   * Mail of a tenant that has its uid since then, in milliseconds since 1970; nothing where that is not known. Asked for
   * each page of metrics.
   */
  readonly mail?: (uid: number, tenantSince: number) => MailCount | undefined;
  /** Called after each tick; `rows` computes what each member used. */
  readonly afterTick?: (rows: () => readonly TopRow[], defaults: LimitNumbers) => void;
}
