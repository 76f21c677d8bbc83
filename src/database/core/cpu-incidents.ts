/** Incidents of tenants that used more CPU time of a database server than their limit. */
import { count } from '../../../packages/base/list.ts';
import { cut } from '../../usage/causes/top-users.ts';
import type { EvidenceKind } from '../../usage/evidence.ts';
import type { IncidentKind } from '../../usage/incident-kind.ts';
import { times } from '../../usage/numbers.ts';

/** A time over which a tenant owed, and the statement that took most of it. */
export interface DatabaseCpuEvidence {
  /** Milliseconds since 1970, at its end. */
  readonly at: number;
  readonly seconds: number;
  /** CPU time, in seconds. */
  readonly usedSeconds: number;
  /** The limit: 1 is one core. */
  readonly limit: number;
  /** The time for which its clients were paused, or would have been. */
  readonly pausedSeconds: number;
  /**
   * Its connections were fewer for a while, or statements were killed: a rung of `hold.ts`; after `watched ` if all this
   * would only have been done.
   */
  readonly rung: string;
  /** The statement without literals; empty if it is not known, or not shown. */
  readonly statement: string;
  /** How often it was seen, and the CPU time that it took then, in seconds. */
  readonly seen: number;
  readonly statementSeconds: number;
}

const statementMax = 200;
const percent = (part: number) => `${Math.round(part * 100)} %`;
const seconds = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} s`;

const sum = (
  items: readonly DatabaseCpuEvidence[],
  field: 'seconds' | 'usedSeconds' | 'pausedSeconds',
) => items.reduce((all, each) => all + each[field], 0);

export const databaseCpuEvidence: EvidenceKind<DatabaseCpuEvidence> = {
  kind: 'database-cpu',
  fields: {
    at: 'number',
    seconds: 'number',
    usedSeconds: 'number',
    limit: 'number',
    pausedSeconds: 'number',
    rung: 32,
    statement: statementMax,
    seen: 'number',
    statementSeconds: 'number',
  },
  describe(items, showAll) {
    return [useText(items), rungText(items), showAll ? statementText(items) : '']
      .filter((each) => each !== '')
      .join(' ');
  },
  line: (each) =>
    [
      `${percent(rate(each.usedSeconds, each.seconds))} of a core for ${seconds(each.seconds)}`,
      `${isWatched(each) ? 'pauses due:' : 'paused for'} ${seconds(each.pausedSeconds)}`,
      ...(each.statement === '' ? [] : [cut(each.statement, statementMax)]),
    ].join(', '),
  redact: (each) => ({ ...each, statement: '' }),
};

const rate = (used: number, time: number) => (time > 0 ? used / time : 0);

function useText(items: readonly DatabaseCpuEvidence[]): string {
  const time = sum(items, 'seconds');
  const used = percent(rate(sum(items, 'usedSeconds'), time));
  const allowed = percent(items.at(-1)?.limit ?? 0);
  return `Its database statements used ${used} of a core for ${seconds(time)}; ${allowed} are allowed.`;
}

/** Stands for a rung where it owed nothing itself. */
export const resellerRung = 'reseller';
const watched = 'watched ';
export const watchedRung = (rung: string): string => `${watched}${rung}`;
const isWatched = ({ rung }: DatabaseCpuEvidence) => rung.startsWith(watched);

function rungText(items: readonly DatabaseCpuEvidence[]): string {
  const [would, done] = [items.filter(isWatched), items.filter((each) => !isWatched(each))];
  const isForReseller = items.some(({ rung }) => rung.endsWith(resellerRung));
  return [
    isForReseller ? 'The tenants of its reseller used more together than the reseller may.' : '',
    watchedText(sum(would, 'pausedSeconds')),
    doneText(done),
  ]
    .filter((each) => each !== '')
    .join(' ');
}

const watchedText = (paused: number) =>
  paused === 0
    ? ''
    : `If its limit were not only watched, its programs with a connection to the server would have been paused for ${seconds(paused)} in all.`;

function doneText(items: readonly DatabaseCpuEvidence[]): string {
  const paused = sum(items, 'pausedSeconds');
  const rungs = new Set(items.map(({ rung }) => rung));
  const pauses =
    paused === 0
      ? ''
      : `Its programs with a connection to the server were paused for ${seconds(paused)} in all, in slices of at most 1 s.`;
  const reason = paused === 0 ? 'It could not be paused:' : 'Pausing did not help:';
  const more = rungs.has('statements')
    ? `${reason} it got a quarter of its connections, and the statements that used most were ended.`
    : rungs.has('connections')
      ? `${reason} it got a quarter of its connections.`
      : '';
  return [pauses, more].filter((each) => each !== '').join(' ');
}

function statementText(items: readonly DatabaseCpuEvidence[]): string {
  const known = items.filter(({ statement }) => statement !== '');
  const [most] = known.toSorted((a, b) => b.statementSeconds - a.statementSeconds);
  if (most === undefined) return '';
  const each = most.seen > 0 ? `, ${(most.statementSeconds / most.seen).toFixed(2)} s each` : '';
  return `The statement that took most: ${cut(most.statement, statementMax)}, seen ${count(most.seen, 'time', 'times')}${each}.`;
}

export const databaseCpuIncidents: IncidentKind<DatabaseCpuEvidence> = {
  limit: 'database.cpu',
  evidence: databaseCpuEvidence,
  happened({ severity, faults }, items) {
    if (severity === 'observed')
      return `used more of a database server than allowed ${times(faults)}`;
    return isUnpaused(items)
      ? `was held back at a database server ${times(faults)}`
      : `had its database clients paused ${times(faults)}`;
  },
  effect: (items) =>
    isUnpaused(items)
      ? 'Connections of its programs were closed, or statements ended, which they see as errors.'
      : undefined,
  advice: ({ severity }, tenant) =>
    [
      `"bulkhead db explain ${tenant}" shows the statements of all its incidents.`,
      severity === 'observed'
        ? 'With <databases hold="on"/> the limit is enforced, unless the policy only observes limits.'
        : '',
    ]
      .filter((each) => each !== '')
      .join(' '),
};

/** Whether nothing was paused although the limit is not only watched: its clients are on other hosts, for example. */
const isUnpaused = (items: readonly DatabaseCpuEvidence[]) =>
  items.length > 0 && items.every((each) => !isWatched(each)) && sum(items, 'pausedSeconds') === 0;
