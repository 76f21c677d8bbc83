/**
 * The last events of a host, numbered: `/var/lib/bulkhead/fleet/outbox.db`. Nobody can make the host delete them, so
 * whoever carries them can lose none: the oldest leave when there are more than 50,000.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { Database } from '../../../store/database.ts';
import { eventsPerDocument, keptEventsMax, type FleetEvent } from '../../core/told/events.ts';

interface Statements {
  readonly add: StatementSync;
  readonly prune: StatementSync;
  readonly epoch: StatementSync;
  readonly range: StatementSync;
  readonly after: StatementSync;
}

/** A part of the events. */
export interface EventRange {
  readonly epoch: string;
  /** The numbers of the oldest and the last event that are there; `last` is 0 before the first. */
  readonly oldest: number;
  readonly last: number;
  /** The number of the first of these. */
  readonly first: number;
  readonly events: readonly FleetEvent[];
}

export class EventRing implements Disposable {
  readonly #database: Database<Statements>;
  readonly #max: number;

  constructor(directory: string, max = keptEventsMax) {
    this.#max = max;
    this.#database = new Database<Statements>({
      directory,
      name: 'outbox.db',
      title: 'record of events for the fleet',
      synchronous: 'FULL',
      pageBytes: 4096,
      migrations: [
        `CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
         CREATE TABLE epoch (name TEXT NOT NULL);
         INSERT INTO epoch VALUES (lower(hex(randomblob(8))))`,
      ],
      prepare,
    });
  }

  add(events: readonly FleetEvent[]): Result<void, Problem> {
    return this.#database.transaction('write the events for the fleet', () => {
      this.#database.run('write the events for the fleet', ({ statements }) => {
        for (const each of events) statements.add.run(JSON.stringify(each));
        statements.prune.run(this.#max);
      });
    });
  }

  /** Returns the next events after a number of this epoch; from the oldest on if it is of another one. */
  after(epoch: string | undefined, number: number): Result<EventRange, Problem> {
    return this.#database.run('read the events for the fleet', ({ statements }) => {
      const own = String(statements.epoch.get()?.['name']);
      const { oldest, last } = statements.range.get() ?? {};
      const known = epoch === own && number <= Number(last ?? 0) ? number : 0;
      const rows = statements.after.all(known, eventsPerDocument);
      return {
        epoch: own,
        oldest: Number(oldest ?? 1),
        last: Number(last ?? 0),
        first: Number(rows[0]?.['number'] ?? known + 1),
        events: rows.map((row) => JSON.parse(String(row['body'])) as FleetEvent),
      };
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

function prepare(db: DatabaseSync): Statements {
  return {
    add: db.prepare('INSERT INTO events (body) VALUES (?)'),
    prune: db.prepare('DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?'),
    epoch: db.prepare('SELECT name FROM epoch'),
    range: db.prepare('SELECT min(number) AS oldest, max(number) AS last FROM events'),
    after: db.prepare('SELECT number, body FROM events WHERE number > ? ORDER BY number LIMIT ?'),
  };
}
