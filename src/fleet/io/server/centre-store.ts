/**
 * The record of a centre about its hosts: `centre.db`. An event is known by its host, epoch and number, so it is there once,
 * however often it came. The mark of an epoch is the number up to which all are there, or lost by the host itself.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { Database } from '../../../store/database.ts';
import { eventsPerDocument, type EventsDocument, type FleetEvent } from '../../core/told/events.ts';
import type { StoredEvent } from '../../core/told/fleet-incidents.ts';
import { aheadMax, type Mark } from '../../core/told/mark.ts';

/** Bounds of one host, so that none can fill the disk: some 20 MB. */
const eventsOfEpochMax = 20_000;
const epochsMax = 2;
const keptMilliseconds = 30 * 86_400_000;
const writing = 'write what hosts tell';
const reading = 'read what hosts told';

/** A host, as the centre knows it. */
export interface KnownHost {
  readonly host: string;
  /** The key that signed its first message: no other one counts. */
  readonly key: string;
  /** The text of its last status; undefined if none has come. */
  readonly status: string | undefined;
  /** The time when the servers got that, in milliseconds since 1970. */
  readonly receivedAt: number;
  /** The reason why its newest message was refused; undefined if it was not. */
  readonly refused: string | undefined;
  readonly mark: (Mark & { readonly lost: number }) | undefined;
}

/** Events of all hosts, or of some. */
export interface EventsQuery {
  /** The time since when they came, in milliseconds since 1970. */
  readonly since: number;
  /** The hosts; all if absent. */
  readonly hosts?: readonly string[];
  /** The number of events at most; the newest ones. */
  readonly max: number;
}

interface Statements {
  readonly key: StatementSync;
  readonly pin: StatementSync;
  readonly status: StatementSync;
  readonly last: StatementSync;
  readonly refuse: StatementSync;
  readonly forget: StatementSync;
  readonly mark: StatementSync;
  readonly setMark: StatementSync;
  readonly add: StatementSync;
  readonly next: StatementSync;
  readonly pruneEpoch: StatementSync;
  readonly dropEpochs: StatementSync;
  readonly dropEvents: StatementSync;
  readonly pruneOld: StatementSync;
  readonly hosts: StatementSync;
  readonly events: StatementSync;
  readonly eventsOfHost: StatementSync;
}

export class CentreStore implements Disposable {
  readonly #database: Database<Statements>;

  constructor(directory: string) {
    this.#database = new Database<Statements>({
      directory,
      name: 'centre.db',
      title: 'record of the hosts',
      synchronous: 'FULL',
      pageBytes: 4096,
      migrations: [
        `CREATE TABLE hosts (host TEXT PRIMARY KEY, key TEXT NOT NULL, status TEXT, received INTEGER NOT NULL,
           refused TEXT) WITHOUT ROWID;
         CREATE TABLE marks (host TEXT, epoch TEXT, stored INTEGER NOT NULL, lost INTEGER NOT NULL, at INTEGER NOT NULL,
           PRIMARY KEY (host, epoch)) WITHOUT ROWID;
         CREATE TABLE events (host TEXT, epoch TEXT, number INTEGER, received INTEGER NOT NULL, body TEXT NOT NULL,
           PRIMARY KEY (host, epoch, number)) WITHOUT ROWID;
         CREATE INDEX events_received ON events (received)`,
      ],
      prepare,
    });
  }

  /** Writes all that `work` writes, or nothing. */
  transaction<T>(work: () => T): Result<T, Problem> {
    return this.#database.transaction(writing, work);
  }

  /** Returns the key of a host, which is this one if none is known yet. */
  pinned(host: string, key: string): Result<string, Problem> {
    return this.#run(({ pin, key: get }) => {
      pin.run(host, key);
      return String(get.get(host)?.['key']);
    });
  }

  status(host: string, status: string, receivedAt: number): Result<void, Problem> {
    return this.#run(({ status: set }) => {
      set.run(status, receivedAt, host);
    });
  }

  /** Returns the text of the last status. */
  lastStatus(host: string): string | undefined {
    const found = this.#run(({ last }) => last.get(host)?.['status']);
    return found.ok && typeof found.value === 'string' ? found.value : undefined;
  }

  refuse(host: string, reason: string): Result<void, Problem> {
    return this.#run(({ refuse }) => {
      refuse.run(reason, host);
    });
  }

  /** Forgets the key and the status of a host; returns whether it was known. */
  forget(host: string): Result<boolean, Problem> {
    return this.#run(({ forget }) => Number(forget.run(host).changes) > 0);
  }

  /**
   * Adds events that came in any order, any number of times; not those that are further ahead than a host may send.
   * Returns the mark of their epoch.
   */
  add({ host, epoch, oldest, first, events }: EventsDocument, at: number): Result<Mark, Problem> {
    return this.#run((statements) => {
      const known = statements.mark.get(host, epoch);
      const before = Number(known?.['stored'] ?? 0);
      // The host has these no more.
      let stored = Math.max(before, oldest - 1);
      let lost = Number(known?.['lost'] ?? 0) + stored - before;
      const isNear = first <= stored + aheadMax + eventsPerDocument;
      for (const [index, event] of isNear ? events.entries() : []) {
        const number = first + index;
        const { changes } = statements.add.run(host, epoch, number, at, JSON.stringify(event));
        if (number <= before && lost > 0) lost -= Number(changes);
      }
      for (const row of statements.next.iterate(host, epoch, stored)) {
        if (row['number'] !== stored + 1) break;
        stored += 1;
      }
      statements.setMark.run(host, epoch, stored, lost, at);
      statements.pruneEpoch.run(host, epoch, stored - eventsOfEpochMax);
      statements.dropEpochs.run(host, host, epochsMax);
      if (known === undefined) statements.dropEvents.run(host, host);
      return { format: 1, epoch, stored };
    });
  }

  /** Deletes events that came long ago. */
  prune(now: number): Result<void, Problem> {
    return this.#run(({ pruneOld }) => {
      pruneOld.run(now - keptMilliseconds);
    });
  }

  /** Returns all hosts in the order of their names. */
  hosts(): Result<readonly KnownHost[], Problem> {
    return this.#database.run(reading, ({ statements }) => statements.hosts.all().map(knownHost));
  }

  /** Returns the newest events, in the order of hosts, epochs and numbers. */
  events({ since, hosts, max }: EventsQuery): Result<readonly StoredEvent[], Problem> {
    return this.#database.run(reading, ({ statements }) => {
      const rows =
        hosts === undefined
          ? statements.events.all(since, max)
          : hosts.flatMap((host) => statements.eventsOfHost.all(host, since, max));
      return rows.map(storedEvent).sort(byNumber).slice(0, max);
    });
  }

  takeNotes(): readonly string[] {
    return this.#database.takeNotes();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #run<T>(work: (statements: Statements) => T): Result<T, Problem> {
    return this.#database.run(writing, ({ statements }) => work(statements));
  }
}

function knownHost(row: Record<string, unknown>): KnownHost {
  const { host, key, status, received, refused, epoch, stored, lost } = row;
  return {
    host: String(host),
    key: String(key),
    status: typeof status === 'string' ? status : undefined,
    receivedAt: Number(received),
    refused: typeof refused === 'string' ? refused : undefined,
    mark:
      typeof epoch === 'string'
        ? { format: 1, epoch, stored: Number(stored), lost: Number(lost) }
        : undefined,
  };
}

function storedEvent({
  host,
  epoch,
  number,
  received,
  body,
}: Record<string, unknown>): StoredEvent {
  const event = JSON.parse(String(body)) as FleetEvent;
  return {
    ...event,
    host: String(host),
    epoch: String(epoch),
    number: Number(number),
    // A host whose clock is ahead, or that lies, comes before no other.
    end: Math.min(Date.parse(event.at), Number(received)),
  };
}

const byNumber = (one: StoredEvent, other: StoredEvent): number =>
  compare(one.host, other.host) || compare(one.epoch, other.epoch) || one.number - other.number;
const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

const newestEpoch = `SELECT epoch FROM marks WHERE marks.host = hosts.host ORDER BY at DESC, epoch LIMIT 1`;

function prepare(db: DatabaseSync): Statements {
  return {
    key: db.prepare('SELECT key FROM hosts WHERE host = ?'),
    pin: db.prepare(
      'INSERT INTO hosts (host, key, received) VALUES (?, ?, 0) ON CONFLICT DO NOTHING',
    ),
    status: db.prepare('UPDATE hosts SET status = ?, received = ?, refused = NULL WHERE host = ?'),
    last: db.prepare('SELECT status FROM hosts WHERE host = ?'),
    refuse: db.prepare('UPDATE hosts SET refused = ? WHERE host = ?'),
    forget: db.prepare('DELETE FROM hosts WHERE host = ?'),
    mark: db.prepare('SELECT stored, lost FROM marks WHERE host = ? AND epoch = ?'),
    setMark: db.prepare('INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)'),
    add: db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'),
    next: db.prepare(
      'SELECT number FROM events WHERE host = ? AND epoch = ? AND number > ? ORDER BY number',
    ),
    pruneEpoch: db.prepare('DELETE FROM events WHERE host = ? AND epoch = ? AND number <= ?'),
    dropEpochs: db.prepare(
      `DELETE FROM marks WHERE host = ? AND epoch NOT IN
         (SELECT epoch FROM marks WHERE host = ? ORDER BY at DESC, epoch LIMIT ?)`,
    ),
    dropEvents: db.prepare(
      'DELETE FROM events WHERE host = ? AND epoch NOT IN (SELECT epoch FROM marks WHERE host = ?)',
    ),
    pruneOld: db.prepare('DELETE FROM events WHERE received < ?'),
    events: db.prepare(
      'SELECT host, epoch, number, received, body FROM events WHERE received >= ? ORDER BY received DESC LIMIT ?',
    ),
    // By the host: the index of the times has the events of all hosts.
    eventsOfHost: db.prepare(
      `SELECT host, epoch, number, received, body FROM events WHERE host = ? AND +received >= ?
         ORDER BY +received DESC LIMIT ?`,
    ),
    hosts: db.prepare(
      `SELECT hosts.*, marks.epoch, marks.stored, marks.lost FROM hosts
         LEFT JOIN marks ON marks.host = hosts.host AND marks.epoch = (${newestEpoch}) ORDER BY hosts.host`,
    ),
  };
}
