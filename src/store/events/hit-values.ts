/** The values that limits had when they were hit, as recorded in incidents; not those that were only observed. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';

export interface HitQuery {
  readonly from: number;
  readonly to: number;
  /** The members; all if absent. */
  readonly members?: readonly Member[];
}

/** Each value once, as written in the policy. */
export type HitValues = ReadonlyMap<Member, Readonly<Partial<Record<LimitKey, readonly string[]>>>>;

/** Returns the values from incidents that were going on at some time from `from` to `to`. */
export function hitValuesIn(db: DatabaseSync, { from, to, members }: HitQuery): HitValues {
  const only = members === undefined ? '' : 'AND member IN (SELECT value FROM json_each(?))';
  const values: SQLInputValue[] = members === undefined ? [] : [JSON.stringify(members)];
  const statement = db.prepare(
    `SELECT DISTINCT member, limit_key, value FROM incidents
     WHERE end_at >= ? AND begin_at <= ? AND severity >= 0 ${only}`,
  );
  const found = new Map<Member, Partial<Record<LimitKey, string[]>>>();
  for (const row of statement.iterate(from, to, ...values)) {
    const member = row['member'] as Member;
    const of = found.get(member) ?? {};
    (of[row['limit_key'] as LimitKey] ??= []).push(String(row['value']));
    found.set(member, of);
  }
  return found;
}
