/** The history of one tenant of this host, read from the store's files beside the agent that writes them. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import { kindOf, uidOf, type Member } from '../../usage/member.ts';
import { metricKeys } from '../../usage/metrics.ts';
import { eventsFile, slotMilliseconds } from '../events/events-schema.ts';
import { incidentOf } from '../events/incident-query.ts';
import { decodeEvidence } from '../events/snapshot-bytes.ts';
import { pointsMax } from '../history/history-query.ts';
import { HistoryReader } from '../history/history-reader.ts';
import { hourMilliseconds, metricsFile } from '../metrics/metrics-schema.ts';
import { formatSqliteError } from '../sqlite-error.ts';
import {
  movedBytesMax,
  type MovedFaults,
  type MovedHours,
  type MovedIncident,
  type MovedRecord,
} from './moved-record.ts';

/** A tenant of this host, and since when it has its uid. */
export interface FoundTenant {
  readonly member: Member;
  readonly name: string;
  readonly since: number;
}

const busyMilliseconds = 5_000;

/** Finds a tenant by its name or uid among those that the agent knows; undefined if there is none. */
export const findTenant = (
  history: string,
  tenant: string,
): Result<FoundTenant | undefined, Problem> =>
  withEvents(history, (db) => {
    const rows = db.prepare('SELECT member, name, since FROM tenancies').all();
    const found = rows.filter(({ member, name }) => {
      const of = member as Member;
      return kindOf(of) === 'tenant' && (name === tenant || of === `u${tenant}`);
    });
    // A name that is another account's uid is that account's: the name of an account cannot be a number alone.
    const row = found.find(({ name }) => name === tenant) ?? found[0];
    return row === undefined
      ? undefined
      : {
          member: row['member'] as Member,
          name: String(row['name']),
          since: Number(row['since']),
        };
  });

interface ExportOptions {
  /** The name of this host. */
  readonly host: string;
  readonly kinds: IncidentKinds;
  /** The time, in milliseconds since 1970. */
  readonly now: number;
  /** The most bytes of the record; most of it is evidence. */
  readonly bytesMax?: number;
}

export interface ExportedRecord {
  readonly record: MovedRecord;
  /** The number of incidents whose evidence had no room. */
  readonly withoutEvidence: number;
}

/** Reads what this host has measured of a tenant, since it has its uid. */
export function exportMember(
  history: string,
  { member, name, since }: FoundTenant,
  { host, kinds, now, bytesMax = movedBytesMax }: ExportOptions,
): Result<ExportedRecord, Problem> {
  // The first hour may include a former owner's use.
  const first = Math.ceil(since / hourMilliseconds) * hourMilliseconds;
  const hours = readHours(history, member, first, now);
  if (!hours.ok) return hours;
  const events = withEvents(history, (db) => ({
    faults: faultsIn(db, member, first, now),
    incidents: incidentsIn(db, member, { since, now }, kinds),
  }));
  if (!events.ok) return events;
  const { faults, incidents } = events.value;
  const bare = { host, uid: uidOf(member), name, since, until: now, hours: hours.value, faults };
  const without = incidents.map((each) => ({ ...each, evidence: [] }));
  const used = bytesOf({ ...bare, incidents: without });
  const kept = withEvidenceThatFits(incidents, bytesMax - used);
  return ok({
    record: { ...bare, incidents: kept },
    withoutEvidence: kept.filter(
      ({ evidence }, index) => evidence.length < (incidents[index]?.evidence.length ?? 0),
    ).length,
  });
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** Leaves out the evidence of the earliest incidents; the latest come first. */
function withEvidenceThatFits(
  incidents: readonly MovedIncident[],
  bytesMax: number,
): readonly MovedIncident[] {
  let left = bytesMax;
  return incidents.map((each) => {
    left -= bytesOf(each.evidence);
    return left >= 0 ? each : { ...each, evidence: [] };
  });
}

function readHours(
  history: string,
  member: Member,
  first: number,
  now: number,
): Result<MovedHours, Problem> {
  const to = Math.ceil(now / hourMilliseconds) * hourMilliseconds;
  const from = Math.max(first, to - pointsMax * hourMilliseconds);
  const points = (to - from) / hourMilliseconds;
  // An agent that has just begun to run has no file yet.
  if (points < 1 || !existsSync(`${history}/${metricsFile}`))
    return ok({ starts: [], seconds: [], metrics: {} });
  using reader = new HistoryReader(history);
  const found = reader.columns({ from, to, points, of: member, metrics: metricKeys });
  if (!found.ok) return fail(found.error);
  const { seconds, metrics } = found.value;
  const measured = seconds.flatMap((each, index) => (each > 0 ? [index] : []));
  const pick = (values: readonly (number | null)[] = []) =>
    measured.map((index) => rounded(values[index] ?? null));
  const columns = [...metrics].flatMap(([key, { averages, maxima }]) => {
    const column = { averages: pick(averages), maxima: pick(maxima) };
    return column.averages.some((each) => each !== null) ? [[key, column] as const] : [];
  });
  return ok({
    starts: measured.map((index) => from + index * hourMilliseconds),
    seconds: measured.map((index) => Math.round(seconds[index] ?? 0)),
    metrics: Object.fromEntries(columns),
  });
}

/** Five digits: the history is exact to a thousandth. */
const rounded = (value: number | null) => (value === null ? null : Number(value.toPrecision(5)));

const slotsPerHour = hourMilliseconds / slotMilliseconds;

function faultsIn(
  db: DatabaseSync,
  member: Member,
  first: number,
  now: number,
): readonly MovedFaults[] {
  const rows = db
    .prepare(
      `SELECT slot / ${slotsPerHour} AS hour, limit_key, sum(count) AS count FROM faults
         WHERE slot >= ? AND slot <= ? AND member = ? GROUP BY hour, limit_key ORDER BY hour, limit_key`,
    )
    .all(first / slotMilliseconds, Math.floor(now / slotMilliseconds), member);
  return rows.map((row) => [
    Number(row['hour']) * hourMilliseconds,
    row['limit_key'] as LimitKey,
    Math.round(Number(row['count'])),
  ]);
}

function incidentsIn(
  db: DatabaseSync,
  member: Member,
  { since, now }: { readonly since: number; readonly now: number },
  kinds: IncidentKinds,
): readonly MovedIncident[] {
  const evidence = db.prepare('SELECT body FROM snapshots WHERE incident = ? ORDER BY id');
  const rows = db
    .prepare(
      `SELECT *, 0 AS kept_snapshots FROM incidents WHERE member = ? AND begin_at >= ? AND begin_at <= end_at
         AND end_at <= ? ORDER BY id DESC`,
    )
    .all(member, since, now);
  return rows.map((row) => {
    const { member: _member, name: _name, snapshots: _snapshots, ...incident } = incidentOf(row);
    const bodies = evidence.all(incident.id).map(({ body }) => body);
    return {
      ...incident,
      faults: Math.round(incident.faults),
      evidence: bodies
        .flatMap((body) => (body instanceof Uint8Array ? (decodeEvidence(body, kinds) ?? []) : []))
        .filter(({ at }) => at <= now),
    };
  });
}

/** Reads the events from one consistent state. */
function withEvents<T>(history: string, work: (db: DatabaseSync) => T): Result<T, Problem> {
  const object = `${history}/${eventsFile}`;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(object, { readOnly: true, timeout: busyMilliseconds });
    db.exec('BEGIN');
    return ok(work(db));
  } catch (error) {
    return failed({ action: 'read the events', object, reason: formatSqliteError(error) });
  } finally {
    if (db?.isOpen === true) db.close();
  }
}
