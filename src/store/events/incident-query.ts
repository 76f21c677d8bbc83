/** A query for incidents, as SQL. */
import type { SQLInputValue } from 'node:sqlite';
import type { LimitKey, Severity } from '../../limits/limit.ts';
import type { Incident } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import { severityNumber, severityOf } from './severity-number.ts';

export interface IncidentsQuery {
  /** The period: selects incidents that were going on at some time from `from` to `to`. */
  readonly from: number;
  readonly to: number;
  /** The members; all if absent. */
  readonly members?: readonly Member[];
  /** The earliest start of an incident by member; members not listed have no results. */
  readonly since?: ReadonlyMap<Member, number>;
  readonly limit?: LimitKey;
  /** The minimum severity. */
  readonly severity?: Severity;
  /** Keys of rules, which slow nothing down: leaves out what was only observed or watched. */
  readonly enforcedRules?: readonly string[];
  /** The maximum number of incidents, the latest first; up to 1,000. */
  readonly count: number;
  /** An id that all results are below: the last id of the previous page. */
  readonly before?: number;
}

interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

export function conditionOf(query: Omit<IncidentsQuery, 'count' | 'before'>): Condition {
  const { from, to, members, since, limit, severity, enforcedRules } = query;
  const parts: [sql: string, ...values: SQLInputValue[]][] = [
    ['end_at >= ? AND begin_at <= ?', from, to],
  ];
  if (members !== undefined) {
    parts.push(['member IN (SELECT value FROM json_each(?))', JSON.stringify(members)]);
  }
  if (since !== undefined) {
    parts.push([
      'begin_at >= (SELECT value FROM json_each(?) WHERE key = member)',
      JSON.stringify(Object.fromEntries(since)),
    ]);
  }
  if (limit !== undefined) parts.push(['limit_key = ?', limit]);
  if (severity !== undefined) parts.push(['severity >= ?', severityNumber(severity)]);
  if (enforcedRules !== undefined) {
    const watched = 'severity = ? AND limit_key IN (SELECT value FROM json_each(?))';
    parts.push([
      `severity > ? AND NOT (${watched})`,
      severityNumber('observed'),
      severityNumber('throttled'),
      JSON.stringify(enforcedRules),
    ]);
  }
  return {
    sql: parts.map(([sql]) => sql).join(' AND '),
    values: parts.flatMap(([, ...values]) => values),
  };
}

export function incidentOf(row: Record<string, unknown>): Incident {
  return {
    id: Number(row['id']),
    member: row['member'] as Member,
    name: String(row['name']),
    limit: row['limit_key'] as LimitKey,
    severity: severityOf(row['severity']),
    inferred: row['inferred'] === 1,
    begin: Number(row['begin_at']),
    end: Number(row['end_at']),
    faults: Number(row['faults']),
    value: String(row['value']),
    from: String(row['source']),
    snapshots: Number(row['kept_snapshots']),
  };
}
