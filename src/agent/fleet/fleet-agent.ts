/** The part of the agent that keeps a host in its fleet, and what it needs of the agent. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { HostFigures } from '../../host/host-figures.ts';
import type { HistoryDistribution } from '../../store/history/history-query.ts';
import type { HistoryView } from '../../store/history/history.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { Fault } from '../../usage/fault.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { LimitNumbers, Who } from '../api/api.ts';
import type { FleetAnswerResponse, FleetOutboxResponse, FleetResponse } from '../api/fleet-api.ts';
import type { FleetHostsResponse } from '../api/fleet-hosts-api.ts';
import type { HttpResult } from '../api/http-result.ts';
import type { PlacementStatus } from '../api/status-response.ts';
import type { PolicyState } from '../reconciler.ts';

/** The result of a check. */
export interface ReleaseCheck {
  /** Sentences on why the host does not take a policy as its fleet's; empty if it would. */
  readonly problems: readonly string[];
}

/** The agent, as far as the fleet needs it. */
export interface FleetEngine {
  /** Applies the policy with the release in force now. Returns its state then, and how many values it has changed. */
  readonly apply: () => Promise<{ readonly state: PolicyState; readonly changes: number }>;
  readonly state: () => PolicyState;
  /** Whether the last apply has set what the policy says now, apart from the problems of its state. */
  readonly isApplied: () => boolean;
  /** Checks a policy as the fleet's layer below the host's own, in a process of its own. */
  readonly check: (policy: string, isLarge: boolean) => Promise<Result<ReleaseCheck, string>>;
  readonly events: Pick<EventStore, 'incidents'>;
  /** Returns the time since when there are records without a gap at their beginning, in milliseconds since 1970; undefined: there are none. */
  readonly recordedSince: () => number | undefined;
  readonly placement: () => PlacementStatus;
  /** Scans all processes; the result says so if that takes too long. */
  readonly scan: () => Promise<PlacementStatus>;
  readonly customers: () => Customers;
  /** Returns the number of tenants. */
  readonly tenants: () => number;
  /** Returns the sums of the tenants' limits; undefined before the first policy is applied. */
  readonly promised: () => Readonly<Record<'cpu' | 'memory', PromisedLimit>> | undefined;
  readonly figures: () => HostFigures;
  /** Returns the history as root may see it. */
  readonly history: () => Pick<HistoryView, 'columns' | 'peakTotal'>;
  /** Reads what tenants have used in a period. */
  readonly tenantUse: (query: TenantUseQuery) => Promise<Result<TenantsUse, Problem>>;
}

export interface TenantUseQuery {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly metrics: readonly MetricKey[];
  /** The name or uid of one tenant; null: all of them. */
  readonly tenant: string | null;
}

export interface TenantUse {
  readonly who: Pick<Who, 'member' | 'name' | 'package'>;
  readonly limits: LimitNumbers;
  readonly use: Readonly<Partial<Record<MetricKey, HistoryDistribution>>>;
}

export interface TenantsUse {
  /** The part of the period that was measured. */
  readonly measuredSeconds: number;
  /** The number of tenants that were asked for and exist. */
  readonly tenants: number;
  /** The tenants that used anything. */
  readonly rows: readonly TenantUse[];
}

/** The sum of the tenants' limits of one kind: cores, or bytes. */
export interface PromisedLimit {
  readonly sum: number;
  /** The number of tenants without such a limit, who are not in the sum. */
  readonly unlimited: number;
}

/** The customers of a host: its resellers, and its tenants without one. */
export interface Customers {
  readonly count: number;
  /** Returns the name of a tenant or reseller for people, and its customer; one that has left is its own. */
  readonly find: (member: Member) => { readonly name: string; readonly customer: Member };
}

/** A tick, as far as a watch needs it. */
export interface SeenTick {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The time since the tick before. */
  readonly seconds: number;
  readonly faults: readonly Fault[];
  /** The cgroups that another program has removed. */
  readonly missing: readonly string[];
}

/** The hand that gives the host a document. */
export interface TakenBy {
  /** Others have a pace. */
  readonly isRoot: boolean;
  /** Whether root wants the release now, whatever wave controllers have opened. */
  readonly isAnyWave: boolean;
}

export interface FleetAgent {
  /** Called before the first policy is read: decides which release that has. */
  readonly begin: (engine: FleetEngine) => Promise<void>;
  /** Called after the first apply. */
  readonly begun: () => void;
  readonly see: (seen: SeenTick) => void;
  readonly status: () => FleetResponse;
  /** Whether the host is the centre of a fleet. */
  readonly isCentre: () => boolean;
  /** Returns what the centre on this host knows of all hosts. */
  readonly hosts: () => Promise<FleetHostsResponse>;
  /** Returns what the centre gets: the status, and the next events after a number of an epoch. */
  readonly outbox: (epoch: string | undefined, after: number) => HttpResult<FleetOutboxResponse>;
  /** Answers a question of the centre, at a bounded pace. */
  readonly answer: (question: string) => Promise<HttpResult<FleetAnswerResponse>>;
  /** Counts a release that the courier wants to hand over. Returns the seconds until it may; 0: now. */
  readonly admitCourier: () => number;
  /** Takes a release. */
  readonly take: (
    bundle: string,
    by: Pick<TakenBy, 'isAnyWave'>,
  ) => Promise<HttpResult<FleetResponse>>;
  /** Takes a controller's record. */
  readonly follow: (record: string, by: Pick<TakenBy, 'isRoot'>) => HttpResult<FleetResponse>;
  readonly keep: () => HttpResult<FleetResponse>;
  readonly back: () => HttpResult<FleetResponse>;
  readonly hold: (seconds: number, reason: string) => HttpResult<FleetResponse>;
  readonly resume: () => HttpResult<FleetResponse>;
}
