/** Small numbers for members, so that a tick names each in two bytes. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Member } from '../usage/member.ts';

export class Registry {
  readonly #insert: StatementSync;
  readonly #forget: StatementSync;
  readonly #numbers = new Map<Member, number>();
  readonly #members = new Map<number, Member>();
  #largest = 0;
  #lastMembers: readonly Member[] = [];
  #lastNumbers = new Uint32Array(0);

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO members (member, seen) VALUES (?, ?) RETURNING number');
    this.#forget = db.prepare(
      `DELETE FROM members WHERE number IN (SELECT number FROM members WHERE seen < ? LIMIT ?)
       RETURNING number, member`,
    );
    for (const { number, member } of db.prepare('SELECT number, member FROM members').iterate()) {
      this.#remember(member as Member, Number(number));
    }
  }

  get largest(): number {
    return this.#largest;
  }

  get size(): number {
    return this.#numbers.size;
  }

  memberOf(number: number): Member | undefined {
    return this.#members.get(number);
  }

  /** Whether the list contains a member without a number. */
  hasNew(members: readonly Member[]): boolean {
    return members.some((member) => !this.#numbers.has(member));
  }

  /** Assigns numbers to new members. They are dropped again if the transaction fails: `reset`. */
  numbersOf(members: readonly Member[], now: number): Uint32Array {
    if (members === this.#lastMembers) return this.#lastNumbers;
    const numbers = new Uint32Array(members.length);
    for (const [index, member] of members.entries()) {
      numbers[index] = this.#numbers.get(member) ?? this.#add(member, now);
    }
    this.#lastMembers = members;
    this.#lastNumbers = numbers;
    return numbers;
  }

  /** Deletes up to `count` members that no kept row refers to: last seen before `time`. */
  forget(time: number, count: number): number {
    const rows = this.#forget.all(time, count);
    for (const { number, member } of rows) {
      this.#numbers.delete(member as Member);
      this.#members.delete(Number(number));
    }
    if (rows.length > 0) this.#lastMembers = [];
    return rows.length;
  }

  #add(member: Member, now: number): number {
    const number = Number(this.#insert.get(member, now)?.['number']);
    this.#remember(member, number);
    return number;
  }

  #remember(member: Member, number: number): void {
    this.#numbers.set(member, number);
    this.#members.set(number, member);
    this.#largest = Math.max(this.#largest, number);
  }
}
