/**
 * The history of a tenant on another host, which came with the tenant when it moved here. It is kept apart from this
 * host's own history, in a file for each tenant, so that no number of this host counts what another one measured.
 *
 *     { "host": "web-017", "uid": 1001, "name": "alice", "since": 1764547200000, "until": 1767225600000,
 *       "hours": { "starts": [1764547200000], "seconds": [3600], "metrics": { "cpu": { "averages": [0.25], … } } },
 *       "faults": [[1764547200000, "cpu.limit", 12]], "incidents": [{ "id": 42, "limit": "cpu.limit", … }] }
 */
import type { LimitKey } from '../../limits/limit.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import type { MetricKey } from '../../usage/metrics.ts';

/** The JSON of all that came with a tenant; also the most that a file may unpack to. */
export const movedBytesMax = 16 * 2 ** 20;

export interface MovedColumn {
  /** The average of each hour; null if it was not known. */
  readonly averages: readonly (number | null)[];
  /** The maximum of each hour; null if it was not known. */
  readonly maxima: readonly (number | null)[];
}

/** The use in hours of which a part was measured. */
export interface MovedHours {
  /** The beginnings in milliseconds since 1970, ascending. */
  readonly starts: readonly number[];
  /** How much of each hour was measured. */
  readonly seconds: readonly number[];
  /** Metrics that were known for at least one hour. */
  readonly metrics: Readonly<Partial<Record<MetricKey, MovedColumn>>>;
}

/** Faults at a limit in an hour. */
export type MovedFaults = readonly [start: number, limit: LimitKey, count: number];

export interface MovedIncident extends Omit<Incident, 'member' | 'name' | 'snapshots'> {
  readonly evidence: readonly Snapshot[];
}

/** A tenant's history on one host. */
export interface MovedRecord {
  /** The host, by its name in its fleet. */
  readonly host: string;
  /** The host that has handed it on, if that is another one. */
  readonly via?: string;
  /** The uid there. */
  readonly uid: number;
  /** The account's name there. */
  readonly name: string;
  /** The time since when the account had that uid, in milliseconds since 1970. */
  readonly since: number;
  /** The time of the export, in milliseconds since 1970. */
  readonly until: number;
  readonly hours: MovedHours;
  readonly faults: readonly MovedFaults[];
  /** The latest first. */
  readonly incidents: readonly MovedIncident[];
}

/** All that came with a tenant. */
export interface MovedHistory {
  /** The time since when the tenant has its uid here: a later owner of the uid does not see it. */
  readonly since: number;
  readonly records: readonly MovedRecord[];
}

/** Whether two records are of one account on one host. */
const isSameOrigin = (one: MovedRecord, other: MovedRecord): boolean =>
  one.host === other.host && one.uid === other.uid && one.since === other.since;

export interface MergedRecords {
  readonly records: readonly MovedRecord[];
  /** The records that were not there before, or not as new. */
  readonly taken: readonly MovedRecord[];
}

/** The most other hosts of a tenant; the latest ones stay. */
const recordsMax = 15;

/** Whether the record counts before another one of the same account: hosts speak for themselves first. */
const isBetter = (one: MovedRecord, other: MovedRecord): boolean =>
  (one.via === undefined) === (other.via === undefined)
    ? one.until > other.until
    : one.via === undefined;

/** Adds records; of one account on one host, the host's own newest export counts. */
export function mergeRecords(
  known: readonly MovedRecord[],
  more: readonly MovedRecord[],
): MergedRecords {
  let records = [...known];
  const taken: MovedRecord[] = [];
  for (const each of more) {
    const before = records.find((other) => isSameOrigin(each, other));
    if (before !== undefined && !isBetter(each, before)) continue;
    records = [...records.filter((other) => other !== before), each];
    taken.push(each);
  }
  const latest = records.toSorted((a, b) => b.until - a.until).slice(0, recordsMax);
  return { records: latest, taken };
}
