/** A moved history as another host wrote it: everything in it is checked before anything is kept. */
import { isObject } from '../../../packages/base/json.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { severities, type LimitKey, type Severity } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Snapshot } from '../../usage/incident.ts';
import { metricKeys, type MetricKey } from '../../usage/metrics.ts';
import { parseSnapshot } from '../events/read-snapshot.ts';
import { hourMilliseconds } from '../metrics/metrics-schema.ts';
import type { MovedColumn, MovedFaults, MovedIncident, MovedRecord } from './moved-record.ts';

/** A clock may be ahead by so much. */
const aheadMilliseconds = 600_000;
const recordsMax = 16;
const hoursMax = 10_000;
const faultsMax = 200_000;
const incidentsMax = 2_000;
const snapshotsMax = 10;
const uidMax = 2 ** 32 - 2;
const secondsMax = 7 * 86_400;
/** More than any counter of a host: bytes a second, or pages. */
const amountMax = 1e18;
const textMax = 4_096;
const depthMax = 8;
const hostPattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

export interface ParseMovedOptions {
  readonly kinds: IncidentKinds;
  /** The time, in milliseconds since 1970. */
  readonly now: number;
}

/** Thrown with the reason, to leave the parser at the first mistake. */
class Mistake extends Error {
  readonly hint: string | undefined;

  constructor(reason: string, hint?: string) {
    super(reason);
    this.hint = hint;
  }
}

/** Parses the records of a moved history. */
export function parseMovedRecords(
  value: unknown,
  options: ParseMovedOptions,
): Result<readonly MovedRecord[], Cause> {
  try {
    return ok(listIn(value, 'records', recordsMax).map((each) => readRecord(each, options)));
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    const { message: reason, hint } = error;
    return fail(hint === undefined ? { reason } : { reason, hint });
  }
}

function readRecord(value: unknown, { kinds, now }: ParseMovedOptions): MovedRecord {
  const record = objectIn(value, 'record');
  const latest = now + aheadMilliseconds;
  const until = timeIn(record['until'], 'until', latest);
  const limits = new Set<string>([...attributes.keys(), ...kinds.keysWithoutLimit()]);
  const limitIn = (limit: unknown): LimitKey => {
    if (typeof limit === 'string' && limits.has(limit)) return limit as LimitKey;
    throw new Mistake(`it has a limit that is not known here: ${shown(limit)}`, newer);
  };
  return {
    host: wordIn(record['host'], 'host', hostPattern),
    ...(record['via'] !== undefined && { via: wordIn(record['via'], 'via', hostPattern) }),
    uid: wholeIn(record['uid'], 'uid', uidMax),
    name: wordIn(record['name'], 'name', namePattern),
    since: timeIn(record['since'], 'since', until),
    until,
    hours: readHours(record['hours'], until),
    faults: listIn(record['faults'], 'faults', faultsMax).map((each): MovedFaults => {
      const [start, limit, count] = listIn(each, 'faults', 3);
      return [hourIn(start, until), limitIn(limit), wholeIn(count, 'count of faults')];
    }),
    incidents: listIn(record['incidents'], 'incidents', incidentsMax).map((each) =>
      readIncident(objectIn(each, 'incident'), { kinds, until, limitIn }),
    ),
  };
}

/** A name as useradd and panels make them, or `uid 1001`. */
const namePattern = /^(?:[\p{L}\p{N}_.@+-]{1,64}\$?|uid \d{1,10})$/u;
const newer = 'install the version of the host that exported it';

function readHours(value: unknown, until: number): MovedRecord['hours'] {
  const hours = objectIn(value, 'hours');
  const starts = listIn(hours['starts'], 'starts', hoursMax).map((each) => hourIn(each, until));
  if (starts.some((each, index) => index > 0 && each <= (starts[index - 1] ?? 0)))
    throw new Mistake('its hours are not in their order');
  const { length } = starts;
  const seconds = listIn(hours['seconds'], 'seconds', length).map((each) =>
    amountIn(each, 'seconds', secondsMax),
  );
  const metrics: [MetricKey, MovedColumn][] = [];
  for (const [name, column] of Object.entries(objectIn(hours['metrics'], 'metrics'))) {
    const key = metricKeys.find((each) => each === name);
    if (key === undefined)
      throw new Mistake(`it has a metric that is not known here: ${shown(name)}`, newer);
    const { averages, maxima } = objectIn(column, name);
    metrics.push([
      key,
      { averages: amountsIn(averages, length), maxima: amountsIn(maxima, length) },
    ]);
  }
  if (seconds.length !== length) throw new Mistake('its hours have no times');
  return { starts, seconds, metrics: Object.fromEntries(metrics) };
}

function amountsIn(value: unknown, length: number): readonly (number | null)[] {
  const list = listIn(value, 'values', length);
  if (list.length !== length) throw new Mistake('it does not have a value for each hour');
  return list.map((each) => (each === null ? null : amountIn(each, 'value')));
}

interface IncidentContext {
  readonly kinds: IncidentKinds;
  readonly until: number;
  readonly limitIn: (value: unknown) => LimitKey;
}

function readIncident(
  incident: Readonly<Record<string, unknown>>,
  { kinds, until, limitIn }: IncidentContext,
): MovedIncident {
  const end = timeIn(incident['end'], 'end', until);
  const severity = severities.find((each): each is Severity => each === incident['severity']);
  if (severity === undefined)
    throw new Mistake(`it has a severity that is not known: ${shown(incident['severity'])}`);
  return {
    id: wholeIn(incident['id'], 'id'),
    limit: limitIn(incident['limit']),
    severity,
    inferred: incident['inferred'] === true,
    begin: timeIn(incident['begin'], 'begin', end),
    end,
    faults: wholeIn(incident['faults'], 'faults'),
    value: plainIn(incident['value'], 'value'),
    from: plainIn(incident['from'], 'from'),
    evidence: listIn(incident['evidence'], 'evidence', snapshotsMax).map((each) =>
      readSnapshot(each, { kinds, until }),
    ),
  };
}

function readSnapshot(
  value: unknown,
  { kinds, until }: Pick<IncidentContext, 'kinds' | 'until'>,
): Snapshot {
  checkSizes(value, 0);
  const snapshot = parseSnapshot(value, kinds);
  if (snapshot === undefined) throw new Mistake('its evidence is not readable');
  timeIn(snapshot.at, 'at', until);
  return snapshot;
}

/** Refuses what no host writes into evidence: numbers beyond any counter, endless texts, depths. */
function checkSizes(value: unknown, depth: number): void {
  if (depth > depthMax) throw new Mistake('its evidence is nested too deeply');
  if (typeof value === 'number') amountIn(Math.abs(value), 'evidence');
  if (typeof value === 'string' && value.length > textMax)
    throw new Mistake('its evidence has a text that is too long');
  if (typeof value === 'object' && value !== null)
    for (const each of Object.values(value)) checkSizes(each, depth + 1);
}

function objectIn(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw new Mistake(`"${what}" is not an object`);
}

function listIn(value: unknown, what: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Mistake(`"${what}" is not a list`);
  if (value.length > max) throw new Mistake(`"${what}" has ${value.length} items; ${max} at most`);
  return value;
}

function amountIn(value: unknown, what: string, max = amountMax): number {
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw new Mistake(`"${what}" is ${shown(value)}, which is not a number from 0 to ${max}`);
}

function wholeIn(value: unknown, what: string, max = Number.MAX_SAFE_INTEGER): number {
  const number = amountIn(value, what, max);
  if (Number.isSafeInteger(number)) return number;
  throw new Mistake(`"${what}" is ${shown(value)}, which is not a whole number`);
}

function timeIn(value: unknown, what: string, latest: number): number {
  const time = wholeIn(value, what, 8.64e15);
  if (time <= latest) return time;
  const [later, last] = [time, latest].map((each) => new Date(each).toISOString());
  throw new Mistake(`"${what}" is ${later}, which is later than it can be (${last})`);
}

function hourIn(value: unknown, until: number): number {
  const start = timeIn(value, 'hour', until);
  if (start % hourMilliseconds === 0) return start;
  throw new Mistake(`"hour" is ${shown(value)}, which does not begin an hour`);
}

function wordIn(value: unknown, what: string, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new Mistake(`"${what}" is ${shown(value)}, which cannot be one`);
}

/** A text of one line, as the policy has them. */
function plainIn(value: unknown, what: string): string {
  if (typeof value === 'string' && value.length <= textMax && !/[\p{Cc}\p{Cf}\p{Cs}]/u.test(value))
    return value;
  throw new Mistake(`"${what}" is ${shown(value)}, which is not a text of one line`);
}

const shownMax = 60;
/** The value as JSON, cut; whoever prints it makes it printable. */
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, shownMax);
