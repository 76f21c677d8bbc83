/** The incidents of a period in numbers, and the worst of them. */
import type { DatabaseSync } from 'node:sqlite';
import { severities, type Severity } from '../../limits/limit.ts';
import { severityNumber } from './severity-number.ts';

export interface SummaryQuery {
  readonly from: number;
  readonly to: number;
  /** The number of equal parts in which beginnings are counted. */
  readonly parts: number;
  /** The number of the worst incidents. */
  readonly worst: number;
  /** Keys of rules, which slow nothing down: their incidents of that severity were only observed. */
  readonly rules: readonly string[];
}

export interface IncidentSummary {
  /** The incidents of the period by their worst effect. */
  readonly bySeverity: Readonly<Record<Severity, number>>;
  /** The number that began in each part, without those of limits that are only observed. */
  readonly beginnings: readonly number[];
  /** The ids of the worst ones, the worst and the latest first, without those of limits that are only observed. */
  readonly worst: readonly number[];
}

const within = 'end_at >= ? AND begin_at <= ?';
const effect = `CASE WHEN severity = ${severityNumber('throttled')} AND limit_key IN (SELECT value FROM json_each(?))
                     THEN ${severityNumber('observed')} ELSE severity END`;

export function incidentSummaryIn(
  db: DatabaseSync,
  { from, to, parts, worst, rules }: SummaryQuery,
): IncidentSummary {
  const only = JSON.stringify(rules);
  const counted = db
    .prepare(
      `SELECT ${effect} AS effect, count(*) AS count FROM incidents WHERE ${within} GROUP BY effect`,
    )
    .all(only, from, to);
  const countOf = (severity: Severity) =>
    Number(counted.find((row) => row['effect'] === severityNumber(severity))?.['count'] ?? 0);
  const observed = severityNumber('observed');
  const beginnings = Array<number>(parts).fill(0);
  // Only the ends have an index.
  const begun = db.prepare(
    `SELECT CAST((begin_at - ?) * ? / (? - ?) AS INTEGER) AS part, count(*) AS count FROM incidents
       WHERE end_at >= ? AND begin_at >= ? AND begin_at < ? AND ${effect} > ? GROUP BY part`,
  );
  for (const row of begun.iterate(from, parts, to, from, from, from, to, only, observed))
    beginnings[Number(row['part'])] = Number(row['count']);
  const ids = db
    .prepare(
      `SELECT id FROM incidents WHERE ${within} AND ${effect} > ?
         ORDER BY severity DESC, id DESC LIMIT ?`,
    )
    .all(from, to, only, observed, worst)
    .map((row) => Number(row['id']));
  const bySeverity = Object.fromEntries(severities.map((each) => [each, countOf(each)]));
  return { bySeverity: bySeverity as Record<Severity, number>, beginnings, worst: ids };
}
