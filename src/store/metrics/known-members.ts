/** The members of the history, by their numbers in the registry. */
import type { DatabaseSync } from 'node:sqlite';
import { kindOf, type Member } from '../../usage/member.ts';
import type { Slots } from './tick-columns.ts';

/** A member that was ever recorded, and its number in ticks and hours. */
export interface KnownMember {
  readonly number: number;
  readonly member: Member;
}

/** Returns the wanted members that were ever recorded; all if absent. */
export function membersIn(
  db: DatabaseSync,
  wanted: readonly Member[] | undefined,
): readonly KnownMember[] {
  const only = wanted === undefined ? undefined : new Set(wanted);
  return db
    .prepare('SELECT number, member FROM members')
    .all()
    .map((row) => ({ number: Number(row['number']), member: row['member'] as Member }))
    .filter(({ member }) => only?.has(member) ?? true);
}

export const tenantsIn = (db: DatabaseSync) =>
  membersIn(db, undefined).filter(({ member }) => kindOf(member) === 'tenant');

/** Numbers members from 0. */
export function slotsOf(group: readonly KnownMember[]): {
  readonly slots: Slots;
  readonly members: readonly Member[];
} {
  const max = group.reduce((max, { number }) => Math.max(max, number), 0);
  const slots = new Int32Array(max + 1).fill(-1);
  for (const [slot, { number }] of group.entries()) slots[number] = slot;
  return { slots, members: group.map(({ member }) => member) };
}
