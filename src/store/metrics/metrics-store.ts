/**
 * Usage of all members, by tick and by hour: `metrics.db`, written only by the agent.
 *
 * A tick is one row with one column per metric, so writing it costs its bytes and little more. Nothing here throws for
 * a full or failing disk or a damaged file: the problem is a value, and the next call tries again. `rollUp` and `prune`
 * are called every tick and do a bounded batch of their work.
 *
 * Ticks are not compressed: deflating a tick costs several times as much as writing it, and the reader would have to
 * inflate 17,280 of them for a day.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { HistorySettings } from '../../policy/settings.ts';
import { metricKeys } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import type { Tick } from '../../usage/tick.ts';
import { Database, type Migration, type Open } from '../database.ts';
import {
  addMetricColumns,
  hourOf,
  metricColumns,
  metricsFile,
  metricsMigrations,
} from './metrics-schema.ts';
import { preparePrune, pruneMetrics, type PruneStatements } from './prune-metrics.ts';
import { Registry } from '../registry.ts';
import { findRun, prepareRollUp, RollUp, watermarkOf, type RollUpStatements } from './roll-up.ts';
import { SteadyClock } from '../steady-clock.ts';
import { allZero, ColumnEncoder, encodeNumbers } from './tick-row.ts';

/** The metrics' share of the space for all of the history; the rest is for events. */
const share = 0.9;
/** A row fills one or two pages; overflow is read only up to the requested column. */
const pageBytes = 4_096;
const writing = 'write the history';
const summingUp = 'sum up the history';
const pruning = 'prune the history';

interface Statements {
  readonly registry: Registry;
  readonly insert: StatementSync;
  readonly oldest: StatementSync;
  readonly rollUp: RollUpStatements;
  readonly prune: PruneStatements;
}

interface MetricsOptions {
  readonly migrations?: readonly Migration[];
}

export class MetricsStore implements Disposable {
  readonly #database: Database<Statements>;
  readonly #encoder = new ColumnEncoder();
  readonly #clock = new SteadyClock();
  #nextId = 0;
  #lastHour = 0;
  /** Whether an hour may be waiting to be rolled up. */
  #mayRollUp = true;
  #rollUp: RollUp | undefined;

  /** Creates the directory if it is missing, with mode 0700. The first call opens the file. */
  constructor(directory: string, { migrations = metricsMigrations }: MetricsOptions = {}) {
    this.#database = new Database<Statements>({
      directory,
      name: metricsFile,
      title: 'history',
      synchronous: 'NORMAL',
      pageBytes,
      migrations,
      prepare: (db) => this.#prepare(db),
    });
  }

  /** Writes one tick. */
  add(tick: Tick): Result<void, Problem> {
    const written = this.#database.run(writing, (open) => this.#insert(open, tick));
    if (!written.ok) return written;
    const hour = hourOf(tick.at);
    if (hour !== this.#lastHour) this.#mayRollUp = true;
    this.#lastHour = hour;
    return written;
  }

  /** Whether hours may be waiting to be rolled up. */
  get isRollingUp(): boolean {
    return this.#mayRollUp;
  }

  /**
   * Rolls up a part of the next complete hour; an hour takes about as many calls as there are
   * metrics.
   */
  rollUp(now: number): Result<void, Problem> {
    if (hourOf(now) !== this.#lastHour) this.#mayRollUp = true;
    if (!this.#mayRollUp) return ok(undefined);
    const done = this.#database.run(summingUp, ({ statements }) => this.#step(statements, now));
    if (!done.ok) this.#rollUp = undefined;
    return done;
  }

  /** Deletes a part of the data that is too old or too much. */
  prune(now: number, settings: HistorySettings): Result<void, Problem> {
    const isSteady = this.#clock.isSteady(now);
    return this.#database.transaction(pruning, () => {
      this.#database.run(pruning, ({ statements }) => {
        const { prune, registry } = statements;
        pruneMetrics(prune, registry, now, isSteady, settings, settings.bytesMax * share);
      });
    });
  }

  bytes(): number {
    return this.#database.bytes();
  }

  /** Returns when the oldest kept sample was measured: milliseconds since 1970. */
  oldest(): number | undefined {
    const found = this.#database.run('read the history', ({ statements }) => {
      return statements.oldest.get()?.['oldest'];
    });
    return found.ok && typeof found.value === 'number' ? found.value : undefined;
  }

  /** Sets the file aside, for a reader that found damage. */
  setAsideDamaged(reason: string): Result<void, Problem> {
    return this.#database.setAsideDamaged(reason);
  }

  /** Returns events about the file, each once. */
  takeNotes(): readonly string[] {
    return this.#database.takeNotes();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #prepare(db: DatabaseSync): Statements {
    addMetricColumns(db);
    const names = ['id', 'at', 'seconds', 'count', 'members', ...metricColumns];
    const places = names.map(() => '?').join(', ');
    const statements = {
      registry: new Registry(db),
      insert: db.prepare(`INSERT INTO ticks (${names.join(', ')}) VALUES (${places})`),
      oldest: db.prepare(
        `SELECT min(at) AS oldest FROM
           (SELECT min(at) AS at FROM ticks UNION ALL SELECT min(hour) FROM hours)`,
      ),
      rollUp: prepareRollUp(db),
      prune: preparePrune(db),
    };
    const last = db.prepare('SELECT max(id) AS id FROM ticks').get()?.['id'];
    this.#nextId = Math.max(Number(last ?? 0), watermarkOf(statements.rollUp)) + 1;
    this.#mayRollUp = true;
    this.#rollUp = undefined;
    return statements;
  }

  #insert({ db, statements }: Open<Statements>, tick: Tick): void {
    const { registry } = statements;
    if (!registry.hasNew(tick.members)) {
      this.#insertRow(statements, tick);
      return;
    }
    db.exec('BEGIN IMMEDIATE');
    try {
      this.#insertRow(statements, tick);
      db.exec('COMMIT');
    } catch (error) {
      // The registry in memory has numbers that the file lacks.
      this.#database.close();
      throw error;
    }
  }

  #insertRow(
    { registry, insert }: Statements,
    { at, seconds, members, columns, known = [] }: Tick,
  ): void {
    const numbers = registry.numbersOf(members, at);
    const row: SQLInputValue[] = [this.#nextId, Math.round(at), seconds, members.length];
    row.push(members.length === 0 ? null : encodeNumbers(numbers, registry.largest));
    this.#encoder.begin(members.length, metricKeys.length);
    for (const key of metricKeys) {
      if (!isPartKey(key)) row.push(this.#encoder.encode(columns[key]) ?? null);
      else row.push(known.includes(key) ? (this.#encoder.encode(columns[key]) ?? allZero) : null);
    }
    insert.run(...row);
    this.#nextId++;
  }

  #step({ rollUp, registry }: Statements, now: number): void {
    if (this.#rollUp === undefined) {
      const run = findRun(rollUp, now);
      if (run === undefined) {
        this.#mayRollUp = false;
        return;
      }
      this.#rollUp = new RollUp(rollUp, run, (number) => registry.memberOf(number));
    }
    if (this.#rollUp.step()) this.#rollUp = undefined;
  }
}
