/**
 * The members with their last tick: names and limits come once from `/v1/top?all=1`, numbers from the stream.
 *
 * A member is at a limit if it hit one in the last minute, as the agent says: with single ticks rows would come and go.
 */
import { computed, effect, signal } from '@preact/signals';
import type { ConsoleFrame, FrameMetric } from '../../../agent/api/console-api.ts';
import type { TopResponse, TopRow } from '../../../agent/api/api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import type { Member } from '../../../usage/member.ts';
import type { MetricKey } from '../../../usage/metrics.ts';
import { isPartKey, type PartKey } from '../../../usage/part-keys.ts';
import { ask } from './answer.ts';
import type { Failure } from './request.ts';
import { session, sessionInfo } from './session.ts';
import { connection, frame } from './stream.ts';

export type Role = 'root' | 'reseller' | 'tenant';

export interface LiveMember {
  /** Its name and limits; the usage in it is old. */
  readonly who: TopRow;
  /** The last tick; not a number if it is unknown. */
  readonly usage: (metric: MetricKey) => number;
  /** The limits that it hit in the last minute. */
  readonly limitsHit: readonly LimitKey[];
  /** The limits of which it used nine tenths in the last minute, and did not hit them. */
  readonly limitsNear: readonly LimitKey[];
  /** How often it hit its limits in the last five minutes. */
  readonly faults: number;
  /** CPU in the last ticks, the last one at the end; null if it is unknown. */
  readonly course: readonly (number | null)[];
}

const courseLength = 36;
const retryMilliseconds = 5000;

/** The last answer of `/v1/top?all=1`; undefined before the first. */
export const who = signal<TopResponse | undefined>(undefined);
export const whoFailure = signal<Failure | undefined>(undefined);

/** Memory of the last ticks, which the frames change before anything is drawn. */
const courses = new Map<Member, (number | null)[]>();
/** Changes when the memory has. */
const remembered = signal<ConsoleFrame | undefined>(undefined);

export const members = computed<readonly LiveMember[]>(() => {
  const now = remembered.value;
  const index = new Map(now?.members.map((member, at) => [member, at]));
  return (who.value?.rows ?? []).map((row) => {
    const at = index.get(row.member);
    return {
      who: row,
      usage: (metric) =>
        isPartKey(metric)
          ? partIn(now, row, at, metric)
          : at === undefined || now === undefined
            ? 0
            : usageIn(now, at, metric),
      limitsHit: valueIn(now?.limitsHit, at) ?? [],
      limitsNear: valueIn(now?.limitsNear, at) ?? [],
      faults: valueIn(now?.faults, at) ?? 0,
      course: courses.get(row.member) ?? [],
    };
  });
});

function valueIn<Value>(column: readonly Value[] | undefined, at: number | undefined) {
  return at === undefined ? undefined : column?.[at];
}

/** A member that is left out is idle; of a site, nothing is known. */
function partIn(
  frame: ConsoleFrame | undefined,
  { kind }: TopRow,
  at: number | undefined,
  metric: PartKey,
): number {
  const values = frame?.parts?.[metric];
  if (values === undefined || kind === 'site') return NaN;
  return at === undefined ? 0 : (values[at] ?? NaN);
}

/** Frames leave out what is a sum or a difference of what they have. */
function usageIn({ usage }: ConsoleFrame, at: number, metric: MetricKey): number {
  const of = (key: FrameMetric) => usage[key][at] ?? 0;
  if (metric === 'anonymous') return Math.max(0, of('memory') - of('cache'));
  if (metric === 'total') return of('read') + of('write');
  if (metric === 'operations') return of('reads') + of('writes');
  return Object.hasOwn(usage, metric) ? of(metric as FrameMetric) : 0;
}

/** The rights of the session: a reseller is known by its row. */
export const role = computed<Role | undefined>(() => {
  const info = sessionInfo.value;
  if (info === undefined || info.role === 'administrator') return info && 'root';
  if (who.value === undefined) return undefined;
  return who.value.rows.some(({ kind }) => kind === 'reseller') ? 'reseller' : 'tenant';
});

/** Follows the stream and the session. */
export function followMembers(): void {
  frame.subscribe((now) => {
    if (now === undefined) courses.clear();
    else remember(now);
    remembered.value = now;
  });
  let loaded: string | undefined;
  effect(() => {
    const token = session.value.kind === 'open' ? session.value.token : undefined;
    const state = connection.value;
    const generation = frame.value?.generation;
    if (token === undefined) {
      who.value = undefined;
      loaded = undefined;
      return;
    }
    const isFirst = state === 'reconnecting' && loaded === undefined;
    const wanted = state === 'live' ? `${token} ${generation}` : isFirst ? token : loaded;
    if (wanted === loaded) return;
    loaded = wanted;
    void loadWho(() => loaded === wanted);
  });
}

async function loadWho(isWanted: () => boolean): Promise<void> {
  const answer = await ask<TopResponse>('v1/top', { query: { all: true } });
  if (!isWanted()) return;
  whoFailure.value = answer.ok ? undefined : answer.error;
  if (answer.ok) who.value = answer.value;
  else if (answer.error.kind !== 'ended')
    setTimeout(() => isWanted() && void loadWho(isWanted), retryMilliseconds);
}

function remember({ members: here, usage, past }: ConsoleFrame): void {
  if (past !== undefined) {
    courses.clear();
    for (const [index, member] of here.entries()) courses.set(member, [...(past.cpu[index] ?? [])]);
    return;
  }
  const seen = new Set(here);
  for (const [index, member] of here.entries()) addToCourse(member, usage.cpu[index] ?? 0);
  for (const [member, course] of courses) {
    if (seen.has(member)) continue;
    addToCourse(member, 0);
    if (course.every((value) => value === 0)) courses.delete(member);
  }
}

function addToCourse(member: Member, value: number): void {
  const course = courses.get(member) ?? [];
  course.push(value);
  if (course.length > courseLength) course.shift();
  courses.set(member, course);
}
