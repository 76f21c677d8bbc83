/**
 * Rolls up ticks to hours, one metric per step, so that no agent tick waits for a whole hour.
 *
 * The next run of ticks is found in the file itself, and its row is written in one statement at the end. So after a
 * kill in between the run starts again, and none is rolled up twice.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { kindOf, type Member } from '../../usage/member.ts';
import { metricKeys, type MetricKey } from '../../usage/metrics.ts';
import { encodeHourColumn, HourTally, withKnown } from './hour-row.ts';
import { hourMilliseconds, hourOf, metricColumns } from './metrics-schema.ts';
import { ColumnDecoder, decodeNumbers, encodeNumbers } from './tick-row.ts';

interface Run {
  readonly hour: number;
  readonly first: number;
  readonly last: number;
  readonly ticks: number;
}

export interface RollUpStatements {
  readonly watermark: StatementSync;
  readonly after: StatementSync;
  readonly presence: StatementSync;
  readonly columns: readonly StatementSync[];
  readonly insert: StatementSync;
  readonly seen: StatementSync;
}

const arrays = { returnArrays: true };

export function prepareRollUp(db: DatabaseSync): RollUpStatements {
  const names = ['hour', 'first', 'last', 'seconds', 'ticks', 'count', 'members', ...metricColumns];
  return {
    watermark: db.prepare('SELECT last FROM hours ORDER BY last DESC LIMIT 1'),
    after: db.prepare('SELECT id, at FROM ticks WHERE id > ? ORDER BY id', arrays),
    presence: db.prepare(
      'SELECT seconds, count, members FROM ticks WHERE id BETWEEN ? AND ? ORDER BY id',
      arrays,
    ),
    columns: metricColumns.map((column) =>
      db.prepare(
        `SELECT seconds, count, members, ${column} FROM ticks
         WHERE id BETWEEN ? AND ? AND ${column} IS NOT NULL ORDER BY id`,
        arrays,
      ),
    ),
    insert: db.prepare(
      `INSERT INTO hours (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    ),
    seen: db.prepare(
      'UPDATE members SET seen = ? WHERE number IN (SELECT value FROM json_each(?))',
    ),
  };
}

/** Returns the id of the last tick that is rolled up. */
export function watermarkOf({ watermark }: RollUpStatements): number {
  return Number(watermark.get()?.['last'] ?? 0);
}

/** Returns the first ticks that are not rolled up, if their hour is over at `now`, or a later one has begun. */
export function findRun(statements: RollUpStatements, now: number): Run | undefined {
  let run: Run | undefined;
  for (const row of statements.after.iterate(watermarkOf(statements))) {
    const [id, at] = row as unknown as readonly [number, number];
    const hour = hourOf(at);
    if (run !== undefined && run.hour !== hour) return run;
    run = { hour, first: run?.first ?? id, last: id, ticks: (run?.ticks ?? 0) + 1 };
  }
  return run === undefined || hourOf(now) === run.hour ? undefined : run;
}

type Sample = readonly [
  seconds: number,
  count: number,
  members: Uint8Array | null,
  column: Uint8Array | null,
];

/** Rolls up one run; every `step` does a bounded part of it. */
export class RollUp {
  readonly #statements: RollUpStatements;
  readonly #run: Run;
  readonly #memberOf: (number: number) => Member | undefined;
  readonly #decoder = new ColumnDecoder();
  readonly #slotOf = new Map<number, number>();
  readonly #columns: (Uint8Array | null)[] = [];
  #slots = new Uint32Array(1_024);
  #seconds = 0;
  #tally: HourTally | undefined;

  constructor(
    statements: RollUpStatements,
    run: Run,
    memberOf: (number: number) => Member | undefined,
  ) {
    this.#statements = statements;
    this.#run = run;
    this.#memberOf = memberOf;
  }

  /** Does a step; returns whether it was the last one: then the row is written. */
  step(): boolean {
    if (this.#tally === undefined) {
      this.#tally = this.#begin();
      return false;
    }
    const next = this.#statements.columns[this.#columns.length];
    const metric = metricKeys[this.#columns.length];
    if (next === undefined || metric === undefined) {
      this.#write();
      return true;
    }
    this.#columns.push(this.#column(metric, next, this.#tally));
    return false;
  }

  #begin(): HourTally {
    const { first, last } = this.#run;
    for (const row of this.#statements.presence.iterate(first, last)) {
      const [seconds, count, members] = row as unknown as Sample;
      this.#seconds += seconds;
      for (const number of decodeNumbers(members, count)) {
        if (!this.#slotOf.has(number)) this.#slotOf.set(number, this.#slotOf.size);
      }
    }
    const isTenant = new Uint8Array(this.#slotOf.size);
    for (const [number, slot] of this.#slotOf) {
      const member = this.#memberOf(number);
      isTenant[slot] = member !== undefined && kindOf(member) === 'tenant' ? 1 : 0;
    }
    return new HourTally(isTenant);
  }

  #column(metric: MetricKey, statement: StatementSync, tally: HourTally): Uint8Array | null {
    const { first, last } = this.#run;
    let known = 0;
    for (const row of statement.iterate(first, last)) {
      const [seconds, count, members, bytes] = row as unknown as Sample;
      known += seconds;
      const numbers = decodeNumbers(members, count);
      if (numbers.length > this.#slots.length) this.#slots = new Uint32Array(numbers.length * 2);
      for (let index = 0; index < numbers.length; index++) {
        this.#slots[index] = this.#slotOf.get(numbers[index] ?? 0) ?? 0;
      }
      tally.add(this.#slots, this.#decoder.decode(bytes, numbers.length), seconds);
    }
    const column = tally.take();
    const bytes = column === undefined ? undefined : encodeHourColumn(column);
    return withKnown(metric, bytes, known) ?? null;
  }

  #write(): void {
    const { hour, first, last, ticks } = this.#run;
    const numbers = Uint32Array.from(this.#slotOf.keys());
    const members = encodeNumbers(
      numbers,
      numbers.reduce((max, each) => Math.max(max, each), 0),
    );
    const values: SQLInputValue[] = [hour, first, last, this.#seconds, ticks, numbers.length];
    this.#statements.seen.run(hour + hourMilliseconds, JSON.stringify([...numbers]));
    this.#statements.insert.run(...values, members, ...this.#columns);
  }
}
