/**
 * Incidents, their evidence, faults by time and sent alerts: `events.db`, written only by the agent.
 *
 * Data reported as written survives a power failure. That costs a disk flush per transaction, so
 * everything of one tick is written in one: `transaction`.
 *
 * No tenant can displace the others' events: for each member the store keeps at most the latest 2,000 incidents and 100
 * snapshots.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { LimitKey } from '../../limits/limit.ts';
import type { HistorySettings } from '../../policy/settings.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Fault } from '../../usage/fault.ts';
import { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { kindOf, type Member } from '../../usage/member.ts';
import type { Tenancy } from '../../usage/tenancy.ts';
import { Database, type Migration } from '../database.ts';
import { decodeEvidence, encodeEvidence } from './snapshot-bytes.ts';
import { eventsFile, eventsMigrations, slotMilliseconds } from './events-schema.ts';
import { hitValuesIn, type HitQuery, type HitValues } from './hit-values.ts';
import { conditionOf, incidentOf, type IncidentsQuery } from './incident-query.ts';
import { incidentSummaryIn, type IncidentSummary, type SummaryQuery } from './incident-summary.ts';
import { preparePruneEvents, pruneEvents, type PruneEventsStatements } from './prune-events.ts';
import { severityNumber } from './severity-number.ts';
import { removeMoved } from '../moved/moved-file.ts';
import { SteadyClock } from '../steady-clock.ts';

/** The events' share of the space for all of the history. */
const share = 0.1;
const pageBytes = 4_096;
const countMax = 1_000;
const snapshotsMax = 10;
const snapshotsPerMemberMax = 100;
const incidentsPerMemberMax = 2_000;
const writing = 'write the events';
const reading = 'read the events';

export type NewIncident = Omit<Incident, 'id' | 'snapshots'>;
type IncidentChange = Pick<Incident, 'end' | 'faults' | 'severity'>;

interface Statements {
  readonly open: StatementSync;
  readonly limitIncidents: StatementSync;
  readonly update: StatementSync;
  readonly take: StatementSync;
  readonly snapshot: StatementSync;
  readonly limitSnapshots: StatementSync;
  readonly incident: StatementSync;
  readonly evidence: StatementSync;
  readonly openSince: StatementSync;
  readonly addFaults: StatementSync;
  readonly takeFaults: StatementSync;
  readonly tenancies: StatementSync;
  readonly saveTenancy: StatementSync;
  readonly endTenancy: StatementSync;
  readonly lastAlert: StatementSync;
  readonly recordAlert: StatementSync;
  readonly prune: PruneEventsStatements;
}

interface TenancyChanges {
  readonly kept: ReadonlyMap<Member, Tenancy>;
  /** The kept members that have a new owner. */
  readonly begun: ReadonlySet<Member>;
  readonly ended: readonly Member[];
}

/** The place of a part in a longer period. */
export const periodParts = ['first', 'middle', 'last'] as const;
export type PeriodPartName = (typeof periodParts)[number];

interface FaultQuery {
  readonly from: number;
  readonly to: number;
  readonly members?: readonly Member[];
  /** Absent if the period is not a part of a longer one. */
  readonly part?: PeriodPartName | undefined;
}

interface EventsOptions {
  /** Reads evidence that capabilities reported; without its kind, evidence is left out. */
  readonly kinds?: IncidentKinds;
  readonly migrations?: readonly Migration[];
}

export class EventStore implements Disposable {
  readonly #database: Database<Statements>;
  readonly #clock = new SteadyClock();
  readonly #kinds: IncidentKinds;
  readonly #directory: string;

  /** Creates the directory if it is missing, with mode 0700. The first call opens the file. */
  constructor(directory: string, options: EventsOptions = {}) {
    const { migrations = eventsMigrations, kinds = new IncidentKinds() } = options;
    this.#kinds = kinds;
    this.#directory = directory;
    this.#database = new Database<Statements>({
      directory,
      name: eventsFile,
      title: 'record of events',
      synchronous: 'FULL',
      pageBytes,
      migrations,
      prepare,
    });
  }

  /**
   * Writes all that `work` writes, or nothing: if a part fails, the whole transaction fails. `work` runs twice if the
   * file turns out to be damaged, the second time on a new one.
   */
  transaction<T>(work: () => T): Result<T, Problem> {
    return this.#database.transaction(writing, work);
  }

  /** Adds an incident; returns its id. */
  open(incident: NewIncident): Result<number, Problem> {
    return this.#write(({ open, limitIncidents }) => {
      const { member, name, limit, severity, inferred, begin, end, faults, value, from } = incident;
      const numbers = [severityNumber(severity), inferred ? 1 : 0, begin, end, faults];
      const { lastInsertRowid } = open.run(member, limit, ...numbers, value, from, name);
      limitIncidents.run(member, member);
      return Number(lastInsertRowid);
    });
  }

  /** Updates an incident. One that was deleted meanwhile is not a failure. */
  update(id: number, { end, faults, severity }: IncidentChange): Result<void, Problem> {
    return this.#write(({ update }) => {
      update.run(end, faults, severityNumber(severity), id);
    });
  }

  /** Adds evidence of an incident; at most ten snapshots are kept. */
  addSnapshot(id: number, snapshot: Snapshot): Result<void, Problem> {
    return this.#writeAll(writing, ({ take, snapshot: insert, limitSnapshots }) => {
      const member = take.get(id, snapshotsMax)?.['member'];
      if (typeof member !== 'string') return;
      insert.run(id, member, snapshot.at, encodeEvidence(snapshot));
      limitSnapshots.run(member, member);
    });
  }

  /** Returns incidents, the latest first; `total` is their number without `count` and `before`. */
  incidents(
    query: IncidentsQuery,
  ): Result<{ readonly incidents: readonly Incident[]; readonly total: number }, Problem> {
    const { sql, values } = conditionOf(query);
    const count = Math.min(Math.max(query.count, 0), countMax);
    const before = query.before ?? Number.MAX_SAFE_INTEGER;
    return this.#database.run(reading, ({ db }) => {
      const page = `SELECT ${columns} FROM incidents WHERE ${sql} AND id < ? ORDER BY id DESC LIMIT ?`;
      const total = db.prepare(`SELECT count(*) AS total FROM incidents WHERE ${sql}`);
      return {
        incidents: db
          .prepare(page)
          .all(...values, before, count)
          .map(incidentOf),
        total: Number(total.get(...values)?.['total'] ?? 0),
      };
    });
  }

  incident(
    id: number,
  ): Result<
    { readonly incident: Incident; readonly evidence: readonly Snapshot[] } | undefined,
    Problem
  > {
    return this.#database.run(reading, ({ statements }) => {
      const row = statements.incident.get(id);
      if (row === undefined) return undefined;
      const evidence = statements.evidence
        .all(id)
        .flatMap(({ body }) =>
          body instanceof Uint8Array ? (decodeEvidence(body, this.#kinds) ?? []) : [],
        );
      return { incident: incidentOf(row), evidence };
    });
  }

  /** Returns incidents whose last fault is later than `time`, to continue them after a restart. */
  openSince(time: number): Result<readonly Incident[], Problem> {
    return this.#database.run(reading, ({ statements }) =>
      statements.openSince.all(time).map(incidentOf),
    );
  }

  /** Counts the faults of one tick, in one transaction; not those that a limit only would have caused. */
  addFaults(at: number, faults: readonly Fault[]): Result<void, Problem> {
    const slot = slotOf(at);
    return this.#writeAll(writing, ({ addFaults }) => {
      for (const { member, limit, count, severity } of faults)
        if (severity !== 'observed') addFaults.run(slot, member, limit, count);
    });
  }

  /**
   * Returns faults in the slots of five minutes that end after `from` and begin by `to`. If the period is a part of a
   * longer one, a slot in which two parts meet counts in the part in which it begins.
   */
  faultCounts(
    query: FaultQuery,
  ): Result<ReadonlyMap<Member, Readonly<Partial<Record<LimitKey, number>>>>, Problem> {
    const { members } = query;
    const { begin, end } = slotsOf(query);
    const only = members === undefined ? '' : 'AND member IN (SELECT value FROM json_each(?))';
    const values: SQLInputValue[] = members === undefined ? [] : [JSON.stringify(members)];
    return this.#database.run(reading, ({ db }) => {
      const statement = db.prepare(
        `SELECT member, limit_key, sum(count) AS count FROM faults
         WHERE slot >= ? AND slot < ? ${only} GROUP BY member, limit_key`,
      );
      const counts = new Map<Member, Partial<Record<LimitKey, number>>>();
      for (const row of statement.iterate(begin, end, ...values)) {
        const member = row['member'] as Member;
        const of = counts.get(member) ?? {};
        of[row['limit_key'] as LimitKey] = Number(row['count']);
        counts.set(member, of);
      }
      return counts;
    });
  }

  /** Returns the current owner of each member. */
  tenancies(): Result<ReadonlyMap<Member, Tenancy>, Problem> {
    return this.#database.run(reading, ({ statements }) => {
      const rows = statements.tenancies.all();
      return new Map(rows.map((row) => [row['member'] as Member, tenancyOf(row)]));
    });
  }

  /**
   * Writes new, changed and ended tenancies, in one transaction. A slot of faults belongs to the uid's owner at its
   * end; earlier faults in it belong to the previous owner.
   */
  keepTenancies({ kept, begun, ended }: TenancyChanges): Result<void, Problem> {
    for (const member of [...ended, ...begun]) {
      // What came with a former owner. If it cannot be removed, it has another time since when, and is not shown.
      if (kindOf(member) === 'tenant') removeMoved(this.#directory, member);
    }
    return this.#writeAll(writing, ({ saveTenancy, endTenancy, addFaults, takeFaults }) => {
      for (const member of ended) endTenancy.run(member);
      for (const [member, { name, home, since }] of kept) {
        saveTenancy.run(member, name, home ?? null, since);
        if (!begun.has(member)) continue;
        for (const row of takeFaults.all(slotOf(since), member)) {
          addFaults.run(slotOf(since) - 1, member, row['limit_key'] ?? '', row['count'] ?? 0);
        }
      }
    });
  }

  /** Returns the values that limits had when they were hit in a period. */
  hitValues(query: HitQuery): Result<HitValues, Problem> {
    return this.#database.run(reading, ({ db }) => hitValuesIn(db, query));
  }

  /** Returns the incidents of a period in numbers. */
  incidentSummary(query: SummaryQuery): Result<IncidentSummary, Problem> {
    return this.#database.run(reading, ({ db }) => incidentSummaryIn(db, query));
  }

  /** Returns when an alert was last sent; `undefined` also if that cannot be read. */
  lastAlert(key: string): number | undefined {
    const found = this.#database.run(reading, ({ statements }) => statements.lastAlert.get(key));
    const at = found.ok ? found.value?.['at'] : undefined;
    return typeof at === 'number' ? at : undefined;
  }

  recordAlert(key: string, at: number): Result<void, Problem> {
    return this.#write(({ recordAlert }) => {
      recordAlert.run(key, at);
    });
  }

  /** Deletes a part of the data that is too old or too much. */
  prune(now: number, settings: HistorySettings): Result<void, Problem> {
    const isSteady = this.#clock.isSteady(now);
    return this.#writeAll('prune the events', ({ prune }) => {
      pruneEvents(prune, now, isSteady, settings, settings.bytesMax * share);
    });
  }

  bytes(): number {
    return this.#database.bytes();
  }

  /** Returns events about the file, each once. */
  takeNotes(): readonly string[] {
    return this.#database.takeNotes();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #write<T>(work: (statements: Statements) => T): Result<T, Problem> {
    return this.#database.run(writing, ({ statements }) => work(statements));
  }

  /** Writes everything in one transaction. */
  #writeAll(action: string, work: (statements: Statements) => void): Result<void, Problem> {
    const written = this.#database.transaction(action, () => this.#write(work));
    return written.ok ? written.value : written;
  }
}

/** Evidence may have been deleted before its incident. */
const columns =
  '*, (SELECT count(*) FROM snapshots WHERE incident = incidents.id) AS kept_snapshots';

const tenancyOf = (row: Record<string, unknown>): Tenancy => ({
  name: String(row['name']),
  home: typeof row['home'] === 'string' ? row['home'] : undefined,
  since: Number(row['since']),
});

const slotOf = (at: number) => Math.floor(at / slotMilliseconds);
const slotFrom = (at: number) => Math.ceil(at / slotMilliseconds);

/** Returns the slots from `begin` on, before `end`. */
function slotsOf({ from, to, part }: FaultQuery): { readonly begin: number; readonly end: number } {
  const isContinued = part === 'middle' || part === 'last';
  const continues = part === 'first' || part === 'middle';
  return {
    begin: isContinued ? slotFrom(from) : slotOf(from),
    end: continues ? slotFrom(to) : slotOf(to) + 1,
  };
}

function prepare(db: DatabaseSync): Statements {
  return {
    open: db.prepare(
      `INSERT INTO incidents (member, limit_key, severity, inferred, begin_at, end_at, faults, value,
         source, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    limitIncidents: db.prepare(
      `DELETE FROM incidents WHERE member = ? AND id <= (SELECT id FROM incidents WHERE member = ?
         ORDER BY id DESC LIMIT 1 OFFSET ${incidentsPerMemberMax})`,
    ),
    update: db.prepare('UPDATE incidents SET end_at = ?, faults = ?, severity = ? WHERE id = ?'),
    take: db.prepare(
      'UPDATE incidents SET snapshots = snapshots + 1 WHERE id = ? AND snapshots < ? RETURNING member',
    ),
    snapshot: db.prepare('INSERT INTO snapshots (incident, member, at, body) VALUES (?, ?, ?, ?)'),
    limitSnapshots: db.prepare(
      `DELETE FROM snapshots WHERE member = ? AND id <= (SELECT id FROM snapshots WHERE member = ?
         ORDER BY id DESC LIMIT 1 OFFSET ${snapshotsPerMemberMax})`,
    ),
    incident: db.prepare(`SELECT ${columns} FROM incidents WHERE id = ?`),
    evidence: db.prepare('SELECT body FROM snapshots WHERE incident = ? ORDER BY id'),
    openSince: db.prepare(`SELECT ${columns} FROM incidents WHERE end_at > ? ORDER BY id`),
    addFaults: db.prepare(
      `INSERT INTO faults VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count`,
    ),
    takeFaults: db.prepare(
      'DELETE FROM faults WHERE slot >= ? AND member = ? RETURNING limit_key, count',
    ),
    tenancies: db.prepare('SELECT * FROM tenancies'),
    saveTenancy: db.prepare('INSERT OR REPLACE INTO tenancies VALUES (?, ?, ?, ?)'),
    endTenancy: db.prepare('DELETE FROM tenancies WHERE member = ?'),
    lastAlert: db.prepare('SELECT at FROM alerts WHERE key = ?'),
    recordAlert: db.prepare(
      'INSERT INTO alerts VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at',
    ),
    prune: preparePruneEvents(db),
  };
}
