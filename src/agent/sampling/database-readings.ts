/**
 * Adds what database servers did for each tenant to its reading, and to its reseller's. Sites have none: a server knows
 * accounts, and accounts have no sites.
 */
import type { Reading } from '../../usage/measure.ts';
import { kindOf, resellerMember, uidOf, type Member } from '../../usage/member.ts';
import { databaseKeys, type DatabaseFigures } from '../../usage/metrics.ts';
import type { DatabaseUse } from '../part.ts';
import type { MemberEntry } from './member-index.ts';

interface Last {
  readonly use: DatabaseUse;
  readonly figures: DatabaseFigures;
}

type Entries = ReadonlyMap<Member, Pick<MemberEntry, 'resellerUid'>>;

/** Servers are asked once a second; what is older than this says nothing about now. */
const oldSeconds = 10;

export class DatabaseReadings {
  #last = new Map<Member, Last>();

  /** `useOf` returns undefined while it is unknown; `now` is the monotonic time in seconds. */
  with(
    readings: readonly Reading[],
    entries: Entries,
    useOf: (uid: number) => DatabaseUse | undefined,
    now: number,
  ): readonly Reading[] {
    const last = new Map<Member, Last>();
    const sums = new Map<Member, DatabaseFigures>();
    for (const { member } of readings) {
      const use = kindOf(member) === 'tenant' ? useOf(uidOf(member)) : undefined;
      if (use === undefined || now - use.atSeconds > oldSeconds) continue;
      const figures = figuresOf(use, this.#last.get(member));
      last.set(member, { use, figures });
      const reseller = entries.get(member)?.resellerUid;
      if (reseller !== undefined) addTo(sums, resellerMember(reseller), figures);
    }
    this.#last = last;
    if (last.size === 0) return readings;
    return readings.map((reading) => {
      const database = last.get(reading.member)?.figures ?? sums.get(reading.member);
      return database === undefined ? reading : { ...reading, database };
    });
  }
}

/** Returns the figures since the last reading; those of before, if the servers were not asked since. */
function figuresOf(use: DatabaseUse, last: Last | undefined): DatabaseFigures {
  const { connections } = use;
  const counted = connections === undefined ? {} : { databaseConnections: connections };
  if (last === undefined) return counted;
  const seconds = use.atSeconds - last.use.atSeconds;
  if (seconds <= 0) return last.figures;
  const share = (before: number, now: number) => Math.max(0, now - before) / seconds;
  const [before, now] = [last.use.cpuSeconds, use.cpuSeconds];
  return {
    ...(before !== undefined && now !== undefined && { databaseCpu: share(before, now) }),
    ...counted,
    databasePaused: share(last.use.pausedSeconds, use.pausedSeconds),
  };
}

function addTo(sums: Map<Member, DatabaseFigures>, member: Member, figures: DatabaseFigures): void {
  const sum: { -readonly [Key in keyof DatabaseFigures]: number } = { ...sums.get(member) };
  for (const key of databaseKeys) {
    const value = figures[key];
    if (value !== undefined) sum[key] = (sum[key] ?? 0) + value;
  }
  sums.set(member, sum);
}
