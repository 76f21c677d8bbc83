/** The context of a request: everything that a response is made from. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { ListedChange } from '../../apply/read-changes.ts';
import type { Driver } from '../../host/driver.ts';
import type { EvidenceReader } from '../../host/evidence/evidence-reader.ts';
import type { DiskUsage } from '../../host/disks/quotas.ts';
import type { DigestChoiceFile } from '../../host/digest-choices.ts';
import type { HostFigures } from '../../host/host-figures.ts';
import type { Member } from '../../usage/member.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { History, HistoryView } from '../../store/history/history.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { AppChanges } from '../changes/app-changes.ts';
import type { FleetAgent } from '../fleet/fleet-agent.ts';
import type { ConsoleAccess } from '../sessions/console-access.ts';
import type { AgentPart, DatabaseUse, NetworkUse, Protection } from '../part.ts';
import type { PolicyChanges } from '../policy/policy-changes.ts';
import type { LatestSample } from '../sampling/latest-sample.ts';
import type { Membership } from '../sampling/membership.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';
import type { ChangePace } from '../changes/change-pace.ts';
import type { SiteLimitChanges } from '../changes/site-limit-changes.ts';
import type { AlertsTestResponse } from './api.ts';
import type { MailCount, SentByWeb } from './usage-api.ts';
import type { StartingStatus, StatusResponse } from './status-response.ts';
import type { Caller } from './caller.ts';
import type { QueryReader } from './query-reader.ts';

export interface AgentContext {
  readonly latest: LatestSample;
  readonly memberIndex: MemberIndex;
  readonly membership: Membership;
  readonly history: History;
  readonly events: EventStore;
  readonly kinds: IncidentKinds;
  readonly evidence: EvidenceReader;
  readonly siteLimits: SiteLimitChanges;
  /** The login codes and sessions of the console. */
  readonly console: ConsoleAccess;
  /** The policy as it is shown and changed. */
  readonly policy: Pick<PolicyChanges, 'ask' | 'keep'>;
  /** The pace at which tenants may ask for login codes. */
  readonly loginPace: ChangePace;
  /** The number of policies adopted since the agent started. */
  readonly generation: number;
  /** The length of a tick. */
  readonly intervalSeconds: number;
  /** The pace at which customers may change their digests. */
  readonly digestPace: ChangePace;
  readonly digestChoices: DigestChoiceFile;
  /** The applications of tenants; absent if no part has them. */
  readonly apps: AppChanges | undefined;
  /** Absent if no part keeps the host in a fleet. */
  readonly fleet: FleetAgent | undefined;
  readonly servedSites: NonNullable<AgentPart['servedSites']>;
  /** Returns the time since when web servers report the requests that they refuse; undefined if they do not. */
  readonly entriesCountedSince: () => number | undefined;
  /** Absent if there is no policy or no driver. */
  readonly driver: Driver | undefined;
  /** The address to which the history is pushed; undefined if the policy names none. */
  readonly historyPush: string | undefined;
  /** The directory of the state of this instance. */
  readonly state: string;
  /** Absent once it has started. */
  readonly starting: StartingStatus | undefined;
  readonly status: () => StatusResponse;
  readonly protections: () => readonly Protection[];
  /** Returns the count of mail; undefined for resellers and sites. */
  readonly mailOf: (entry: MemberEntry) => MailCount | 'unknown' | undefined;
  /** Returns what web servers sent for a tenant's sites; undefined for resellers and sites. */
  readonly sentByWebOf: (entry: MemberEntry) => SentByWeb | 'unknown' | undefined;
  /** Returns what a tenant has used of database servers; undefined if no server is asked, and for resellers and sites. */
  readonly databaseUseOf: (entry: MemberEntry) => DatabaseUse | undefined;
  /** Returns what a tenant has used of the network; undefined if that is not counted, and for resellers and sites. */
  readonly networkUseOf: (entry: MemberEntry) => NetworkUse | undefined;
  /** Returns a member's CPU limit of now, in cores, while it is lowered; undefined for all others. */
  readonly cpuLimitNowOf: (entry: MemberEntry) => number | undefined;
  /** Returns the disk usage of members where it is known. */
  readonly diskUsages: () => ReadonlyMap<Member, DiskUsage>;
  readonly hostFigures: () => HostFigures;
  /** Scans all processes first, so that the list of processes outside is current. */
  readonly freshStatus: () => Promise<StatusResponse>;
  /** Returns the latest changes of the policy. */
  readonly latestChanges: (count: number) => Result<readonly ListedChange[], Problem>;
  readonly testAlerts: () => Promise<AlertsTestResponse>;
  /** Monotonic time of the last tick. */
  readonly lastTick: number;
}

export interface RequestContext {
  /** The request as it came, for its body and headers. */
  readonly request: Request;
  readonly agent: AgentContext;
  readonly caller: Caller;
  /** The history as this caller may see it. */
  readonly history: HistoryView;
  readonly query: QueryReader;
  /** The formats that the caller accepts, from its `Accept` header. */
  readonly accept: string | undefined;
  /**
   * The slot of this request among those in progress. An answer that waits for a change releases it first, so that the
   * caller can ask something else meanwhile; something else must bound how many wait.
   */
  readonly slot: Disposable;
}
