/** The values that commands about all hosts of a fleet print with `--json`. Their schemas are generated from these types. */
import type { AnsweredRow } from '../../core/ask/answer.ts';
import type { CutAnswer } from '../../core/ask/believable.ts';
import type { FleetTopRow } from '../../core/ask/merge.ts';
import type { AskedMetric } from '../../core/ask/question.ts';
import type { HostFit, RoomNeed, RoomReport } from '../../core/room.ts';
import type { FleetIncident, FleetUnknown } from '../../core/told/fleet-incidents.ts';

/** `bulkhead fleet faults` */
export interface FleetFaultsJson {
  /** The beginning of the period, in milliseconds since 1970. */
  readonly from: number;
  /** The end of the period. */
  readonly to: number;
  /** The incidents, the newest first. */
  readonly incidents: readonly FleetIncident[];
  /** The number of all incidents of the period; null: there were too many events to count. */
  readonly total: number | null;
  /** The faults that the centre does not know. */
  readonly unknown: FleetUnknown;
}

/** `bulkhead fleet room` */
export interface FleetRoomJson {
  /** The time when hosts were compared, in milliseconds since 1970: "fleet move" takes the file for an hour. */
  readonly at: number;
  /** The package of the new tenant; absent if none was named. */
  readonly package?: string;
  /** The tenant that the new one is like; absent if none was named. */
  readonly like?: FleetRoomLikeJson;
  /** The hosts: those with the most room first, then those of which it is unknown, and those that have none. */
  readonly hosts: readonly FleetRoomHostJson[];
}

/** A tenant that the new one is like: its use counts for both. */
export interface FleetRoomLikeJson {
  /** The name or uid, as it was asked for. */
  readonly tenant: string;
  /** The host. */
  readonly host: string;
  /** The limit and the p95 of seven days, of each resource: cores, or bytes. */
  readonly need: RoomNeed;
}

/** A host, and what it has told. */
export interface FleetRoomHostJson extends HostFit {
  /** The room as the host has told it; null: unknown, or it told nothing lately. */
  readonly told: RoomReport | null;
}

/** The faults of a minute. */
export interface FleetIncidentMinuteJson {
  /** The end of the minute by the host's clock: an ISO time in UTC. */
  readonly at: string;
  /** The severity. */
  readonly severity: string;
  /** The number of faults. */
  readonly faults: number;
}

/** `bulkhead fleet incident` */
export interface FleetIncidentJson extends FleetIncident {
  /** The minutes in which the limit was hit. */
  readonly minutes: readonly FleetIncidentMinuteJson[];
  /** Other incidents of the same tenant on that host at that time. */
  readonly alongside: readonly FleetIncident[];
  /** The number of other tenants, resellers and sites of that host with faults at that time. */
  readonly others: number;
  /** The faults of that host that the centre does not know. */
  readonly unknown: FleetUnknown;
}

/** A host that did not answer. */
export interface FleetUnansweredJson {
  /** The host. */
  readonly host: string;
  /** The reason. */
  readonly why: string;
}

/** The hosts that were asked. */
export interface FleetAskedJson {
  /** The length of the period, which ends now. */
  readonly seconds: number;
  /** The number of hosts that answered. */
  readonly hosts: number;
  /** The hosts that did not, or whose answer does not count: their tenants are not in the list. */
  readonly unanswered: readonly FleetUnansweredJson[];
  /** The hosts whose answer had no space for all tenants that were asked for; empty: nothing is missing. */
  readonly truncated: readonly CutAnswer[];
}

/** `bulkhead fleet top` */
export interface FleetTopJson extends FleetAskedJson {
  /** The metric. */
  readonly metric: AskedMetric;
  /** The number of tenants that used anything and are not in the list. */
  readonly more: number;
  /** The tenants, those with the highest average first. */
  readonly tenants: readonly FleetTopRow[];
}

/** A tenant on one host. */
export interface FleetUsageRowJson extends AnsweredRow {
  /** The host. */
  readonly host: string;
  /** The part of the period that was measured there. */
  readonly measuredSeconds: number;
}

/** `bulkhead fleet usage` */
export interface FleetUsageJson extends FleetAskedJson {
  /** The tenant that was asked for. */
  readonly tenant: string;
  /** The hosts that have a tenant of that name or uid. */
  readonly found: readonly string[];
  /** The tenant on each host that has one of that name or uid and on which it used anything. */
  readonly rows: readonly FleetUsageRowJson[];
}
