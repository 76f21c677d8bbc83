/** Ticks to write, a directory of its own for every test, and questions to the files in it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { formatProblem } from '../../packages/base/problem.ts';
import type { HistorySettings } from '../../src/policy/settings.ts';
import type { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { partKeys } from '../../src/usage/part-keys.ts';
import { emptyColumns, type Tick } from '../../src/usage/tick.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const hour = 3_600_000;
export const day = 24 * hour;
/** The beginning of an hour. */
export const start = 500_000 * hour;

export const settings: HistorySettings = {
  detailMilliseconds: 2 * day,
  summaryMilliseconds: 400 * day,
  incidentsMilliseconds: 400 * day,
  bytesMax: 2 ** 31,
};

export class Place implements Disposable {
  readonly #scratch = temporaryDirectory('store');
  readonly parent = this.#scratch.path;
  /** Not made yet. */
  readonly directory = join(this.parent, 'history');

  [Symbol.dispose](): void {
    this.#scratch.remove();
  }
}

export type Use = Partial<Record<MetricKey, number>>;

export function tickOf(at: number, use: Readonly<Record<Member, Use>>, seconds = 5): Tick {
  const members = Object.keys(use) as Member[];
  const columns = emptyColumns(members.length);
  for (const [index, member] of members.entries()) {
    for (const [key, value] of Object.entries(use[member] ?? {})) {
      columns[key as MetricKey][index] = value;
    }
  }
  const used = new Set(Object.values(use).flatMap((each) => Object.keys(each)));
  return { at, seconds, members, columns, known: partKeys.filter((key) => used.has(key)) };
}

const wide = Object.fromEntries(metricKeys.map((key, index) => [key, index + 1]));
/** Returns a tick in which many members use something. */
export const busyTick = (number: number, members = 500): Tick =>
  tickOf(
    start + number * 5_000,
    Object.fromEntries(Array.from({ length: members }, (_, index) => [`u${index}`, wide])),
  );

/** The answer of a store that has done what it was asked. */
export const done = { ok: true, value: undefined };

/** Calls `rollUp` until there is nothing left to do. */
export function rollUpAll(store: MetricsStore, now: number): void {
  for (let step = 0; step < 1_000; step++) {
    const summed = store.rollUp(now);
    if (!summed.ok) throw new Error(formatProblem(summed.error));
    if (!store.isRollingUp) return;
  }
  throw new Error('Rolling up does not end');
}

export function value<T>(
  result:
    | { readonly ok: true; readonly value: T }
    | { readonly ok: false; readonly error: unknown },
): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** Runs a statement on a file of a store, and returns its rows. */
export const query = (file: string, sql: string) => {
  const db = new DatabaseSync(file);
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};

/** Returns the first value of the first row. */
export const numberIn = (file: string, sql: string) =>
  Number(Object.values(query(file, sql)[0] ?? {})[0]);
