/**
 * Deletes old rows of a moved history by the ages of this host's own: hours of use by the age of summaries, faults and
 * incidents by that of incidents. A host goes with its last row, and a file with its last host.
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { HistorySettings } from '../../policy/settings.ts';
import { lockFile } from '../../sys/files/flock.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { hourMilliseconds } from '../metrics/metrics-schema.ts';
import { movedLock, readMoved, removeMoved, writeMoved } from './moved-file.ts';
import type { MovedColumn, MovedHours, MovedRecord } from './moved-record.ts';

export interface PruneMovedQuery extends Pick<
  HistorySettings,
  'summaryMilliseconds' | 'incidentsMilliseconds'
> {
  readonly member: Member;
  /** The time, in milliseconds since 1970. */
  readonly now: number;
}

/** Prunes the file of a member. Returns whether it changed. Fails if an import has the lock. */
export function pruneMoved(history: string, query: PruneMovedQuery): Result<boolean, Problem> {
  const lock = lockFile(movedLock(history), { waitMs: 0 });
  if (!lock.ok) return lock;
  using held = lock.value;
  void held;
  const moved = readMoved(history, query.member);
  if (!moved.ok) return moved;
  if (moved.value === undefined) return ok(false);
  const { since, records } = moved.value;
  const kept = records.map((each) => prunedRecord(each, query)).filter((each) => !isEmpty(each));
  if (kept.length === records.length && kept.every((each, index) => each === records[index]))
    return ok(false);
  const written =
    kept.length === 0
      ? removeMoved(history, query.member)
      : writeMoved(history, query.member, { since, records: kept });
  return written.ok ? ok(true) : failed({ ...written.error, action: 'prune a moved history' });
}

const isEmpty = ({ hours, faults, incidents }: MovedRecord): boolean =>
  hours.starts.length === 0 && faults.length === 0 && incidents.length === 0;

/** Returns the same record if all of it stays. */
function prunedRecord(
  record: MovedRecord,
  { now, summaryMilliseconds, incidentsMilliseconds }: PruneMovedQuery,
): MovedRecord {
  const hours = hoursSince(record.hours, now - summaryMilliseconds);
  const oldest = now - incidentsMilliseconds;
  const faults = record.faults.filter(([start]) => start + hourMilliseconds > oldest);
  const incidents = record.incidents.filter(({ end }) => end >= oldest);
  const isSame =
    hours === record.hours &&
    faults.length === record.faults.length &&
    incidents.length === record.incidents.length;
  return isSame ? record : { ...record, hours, faults, incidents };
}

/** Returns the hours that end after the time. */
function hoursSince(hours: MovedHours, time: number): MovedHours {
  const found = hours.starts.findIndex((start) => start + hourMilliseconds > time);
  const first = found === -1 ? hours.starts.length : found;
  if (first === 0) return hours;
  const metrics: Partial<Record<MetricKey, MovedColumn>> = {};
  for (const [key, { averages, maxima }] of Object.entries(hours.metrics)) {
    const column = { averages: averages.slice(first), maxima: maxima.slice(first) };
    if (column.averages.some((each) => each !== null)) metrics[key as MetricKey] = column;
  }
  return { starts: hours.starts.slice(first), seconds: hours.seconds.slice(first), metrics };
}
