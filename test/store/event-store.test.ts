/** Incidents, evidence, faults and alerts in the file. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { EventStore, type NewIncident } from '../../src/store/events/event-store.ts';
import { evidenceBytesMax } from '../../src/store/events/snapshot-bytes.ts';
import type { Fault } from '../../src/usage/fault.ts';
import type { ProcessEvidence, Snapshot } from '../../src/usage/incident.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { day, done, hour, Place, settings, start, value } from './samples.ts';

const incident = (change: Partial<NewIncident> = {}): NewIncident => ({
  member: 'u1001',
  name: 'ann',
  limit: 'memory.limit',
  severity: 'refused',
  inferred: false,
  begin: start,
  end: start + 5_000,
  faults: 3,
  value: '512MiB',
  from: 'policy.xml:12',
  ...change,
});

const process = (pid: number, command: string): ProcessEvidence => ({
  pid,
  name: 'php',
  command,
  state: 'R',
  threads: 1,
  cpuSeconds: 1.5,
  memoryBytes: 2 ** 20,
  readBytes: 0,
  writeBytes: 7,
  ageSeconds: 60,
});
const usage = Object.fromEntries(metricKeys.map((key) => [key, 0.5])) as Record<MetricKey, number>;
const snapshot = (at: number, processes: readonly ProcessEvidence[] = []): Snapshot => ({
  at,
  processes,
  processCount: processes.length,
  usage,
  killed: [{ pid: 12, name: 'php' }],
});
const fault = (member: Member, count: number): Fault => ({
  member,
  limit: 'cpu.limit',
  severity: 'throttled',
  count,
  inferred: false,
});
const everything = { from: 0, to: start + 1_000 * day, count: 1_000 };

const countIn = (place: Place, sql: string) => {
  const db = new DatabaseSync(`${place.directory}/events.db`, { readOnly: true });
  try {
    return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
  } finally {
    db.close();
  }
};

describe('EventStore', () => {
  test('incident() returns an incident with its evidence', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const id = value(store.open(incident({ severity: 'throttled' })));
    assert.equal(id, 1);
    const first = snapshot(start, [process(1, 'php -r "while(true);" \u001b[2J')]);
    assert.deepEqual(store.addSnapshot(id, first), done);
    assert.deepEqual(store.addSnapshot(id, snapshot(start + 1)), done);
    const change = { end: start + 60_000, faults: 9, severity: 'killed' } as const;
    assert.deepEqual(store.update(id, change), done);
    const expected = { ...incident(change), id, snapshots: 2 };
    assert.deepEqual(value(store.incident(id)), {
      incident: expected,
      evidence: [first, snapshot(start + 1)],
    });
    assert.deepEqual(value(store.incidents(everything)), { incidents: [expected], total: 1 });
    assert.equal(value(store.incident(2)), undefined);
    assert.deepEqual(store.update(2, change), done);
    assert.deepEqual(store.addSnapshot(2, first), done);
    assert.equal(countIn(place, 'SELECT count(*) FROM snapshots'), 2);
  });

  test('addSnapshot() keeps at most ten snapshots of an incident', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const id = value(store.open(incident()));
    for (let at = 0; at < 15; at++) assert.deepEqual(store.addSnapshot(id, snapshot(at)), done);
    const found = value(store.incident(id));
    assert.equal(found?.incident.snapshots, 10);
    assert.deepEqual(
      found?.evidence.map(({ at }) => at),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });

  test('addSnapshot() keeps the first processes when the evidence is too large', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const id = value(store.open(incident()));
    const noise = () => randomBytes(2_048).toString('hex');
    const processes = Array.from({ length: 50 }, (_, pid) => process(pid + 1, noise()));
    assert.deepEqual(store.addSnapshot(id, snapshot(start, processes)), done);
    assert.ok(countIn(place, 'SELECT max(length(body)) FROM snapshots') <= evidenceBytesMax);
    const [kept] = value(store.incident(id))?.evidence ?? [];
    assert.equal(kept?.processCount, 50);
    assert.equal(kept?.processes[0]?.pid, 1);
    assert.ok(kept.processes.length >= 12);
  });

  test('incidents() filters by time, member, limit and severity, in pages', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const severities = ['throttled', 'refused', 'killed'] as const;
    for (let number = 0; number < 30; number++) {
      const begin = start + number * hour;
      const member: Member = number % 2 === 0 ? 'u1' : 'u2';
      const limit = number < 15 ? 'cpu.limit' : 'memory.limit';
      const severity = severities[number % 3] ?? 'throttled';
      value(store.open(incident({ begin, end: begin + 1_000, member, limit, severity })));
    }
    const ids = (query: object) => {
      const found = value(store.incidents({ ...everything, ...query }));
      return [found.total, ...found.incidents.map(({ id }) => id)];
    };
    assert.deepEqual(ids({ from: start + hour, to: start + 2 * hour }), [2, 3, 2]);
    assert.deepEqual(ids({ from: start + 1_000, to: start + 1_000 }), [1, 1]);
    assert.deepEqual(ids({ members: ['u2'], count: 2 }), [15, 30, 28]);
    assert.deepEqual(ids({ members: ['u2'], count: 2, before: 28 }), [15, 26, 24]);
    assert.deepEqual(ids({ members: [] }), [0]);
    assert.deepEqual(ids({ severity: 'killed', limit: 'cpu.limit' }), [5, 15, 12, 9, 6, 3]);
    assert.equal(ids({ severity: 'refused' })[0], 20);
    assert.deepEqual(ids({ count: 0 }), [30]);
    const later = value(store.openSince(start + 27 * hour + 1_000));
    assert.deepEqual(
      later.map(({ id }) => id),
      [29, 30],
    );
  });

  test('transaction() writes a tick with 1,000 incidents, or nothing when it throws', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const members = Array.from({ length: 1_000 }, (_, index): Member => `u${index}`);
    const write = () =>
      store.transaction(() => {
        store.addFaults(
          start,
          members.map((member) => fault(member, 2)),
        );
        return members.map((member) => {
          const opened = store.open(incident({ member }));
          if (opened.ok) store.addSnapshot(opened.value, snapshot(start));
          return opened;
        });
      });
    const opened = value(write());
    assert.equal(opened.filter(({ ok }) => ok).length, 1_000);
    assert.equal(value(store.incidents(everything)).total, 1_000);
    assert.equal(countIn(place, 'SELECT count(*) FROM snapshots'), 1_000);
    assert.throws(() =>
      store.transaction(() => {
        value(store.open(incident()));
        throw new RangeError('a defect');
      }),
    );
    assert.equal(value(store.incidents(everything)).total, 1_000);
    assert.equal(store.transaction(() => store.open(incident())).ok, true);
  });

  test('faultCounts() counts by member, limit and time', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    for (let minute = 0; minute < 20; minute++) {
      const faults = [fault('u1', 1), { ...fault('u2', 10), limit: 'io.read' } as const];
      assert.deepEqual(store.addFaults(start + minute * 60_000, faults), done);
    }
    const counts = (from: number, to: number, members?: readonly Member[]) =>
      Object.fromEntries(
        value(
          store.faultCounts({
            from: start + from * 60_000,
            to: start + to * 60_000,
            ...(members === undefined ? {} : { members }),
          }),
        ),
      );
    assert.deepEqual(counts(0, 20), { u1: { 'cpu.limit': 20 }, u2: { 'io.read': 200 } });
    assert.deepEqual(counts(5, 9, ['u1']), { u1: { 'cpu.limit': 5 } });
    assert.deepEqual(counts(60, 90), {});
    assert.equal(countIn(place, 'SELECT count(*) FROM faults'), 8);
  });

  test('lastAlert() returns the latest time recorded, also after reopening', () => {
    using place = new Place();
    {
      using store = new EventStore(place.directory);
      assert.equal(store.lastAlert('a'), undefined);
      assert.deepEqual(store.recordAlert('a', 5), done);
      assert.deepEqual(store.recordAlert('a', 9), done);
    }
    using store = new EventStore(place.directory);
    assert.equal(store.lastAlert('a'), 9);
  });

  test("keeps other tenants' events when one tenant has 2,200 incidents", () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const quiet = value(store.open(incident({ member: 'u7' })));
    assert.deepEqual(store.addSnapshot(quiet, snapshot(start)), done);
    value(
      store.transaction(() => {
        for (let number = 0; number < 2_200; number++) {
          const id = value(store.open(incident({ member: 'u8' })));
          store.addSnapshot(id, snapshot(number));
        }
      }),
    );
    assert.equal(value(store.incidents({ ...everything, members: ['u8'] })).total, 2_000);
    assert.equal(value(store.incident(quiet))?.evidence.length, 1);
    assert.equal(countIn(place, "SELECT count(*) FROM snapshots WHERE member = 'u8'"), 100);
    const oldest = value(store.incident(210));
    assert.deepEqual([oldest?.incident.snapshots, oldest?.evidence], [0, []]);
  });

  test('prune() deletes by age when the clock is steady, and by size', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    for (let number = 0; number < 200; number++) {
      const at = start + number * day;
      const id = value(store.open(incident({ begin: at, end: at })));
      store.addSnapshot(id, snapshot(at, [process(1, randomBytes(2_000).toString('hex'))]));
      store.addFaults(at, [fault('u1', 1)]);
      store.recordAlert(`key ${number}`, at);
    }
    const counts = () =>
      ['incidents', 'snapshots', 'faults', 'alerts'].map((table) =>
        countIn(place, `SELECT count(*) FROM ${table}`),
      );
    const now = start + 500 * day;
    assert.deepEqual(store.prune(now, settings), done);
    assert.deepEqual(counts(), [200, 100, 200, 200]);
    for (let call = 0; call < 400; call++) assert.deepEqual(store.prune(now, settings), done);
    assert.deepEqual(counts(), [100, 100, 100, 100]);
    const small = { ...settings, bytesMax: 2 ** 20 };
    for (let call = 0; call < 50; call++) assert.deepEqual(store.prune(now, small), done);
    const [incidents, snapshots] = counts();
    assert.deepEqual([incidents, snapshots], [100, 0]);
    assert.equal(value(store.open(incident())), 201);
  });

  test('keeps every row when it migrates a file of version 1', () => {
    using place = new Place();
    const evidence = snapshot(start, [process(7, 'php -f x.php')]);
    {
      using old = new EventStore(place.directory);
      value(old.open(incident()));
      assert.deepEqual(old.addSnapshot(1, evidence), done);
      assert.deepEqual(old.addFaults(start, [fault('u1001', 4)]), done);
    }
    const db = new DatabaseSync(`${place.directory}/events.db`);
    db.exec(
      'DROP TABLE tenancies; ALTER TABLE incidents DROP COLUMN name; PRAGMA user_version = 1',
    );
    db.close();
    using store = new EventStore(place.directory);
    const found = value(store.incident(1));
    assert.deepEqual(found?.incident, { ...incident({ name: '' }), id: 1, snapshots: 1 });
    assert.deepEqual(found?.evidence, [evidence]);
    assert.deepEqual(value(store.faultCounts(everything)).get('u1001'), { 'cpu.limit': 4 });
    assert.deepEqual(value(store.tenancies()), new Map());
    assert.deepEqual(store.takeNotes(), []);
  });

  test('keepTenancies() stores the owners, and queries can start at a tenancy', () => {
    using place = new Place();
    const minute = 60_000;
    const since = start + 12 * minute;
    const tenancy = { name: 'ben', home: undefined, since };
    {
      using store = new EventStore(place.directory);
      store.addFaults(start + 4 * minute, [fault('u1', 1)]);
      store.addFaults(start + 11 * minute, [fault('u1', 2), fault('u2', 2)]);
      for (const minutes of [4, 11, 12, 13]) {
        value(store.open(incident({ member: 'u1', begin: start + minutes * minute, end: since })));
      }
      const kept = new Map([['u1', tenancy] as const]);
      assert.deepEqual(store.keepTenancies({ kept, begun: new Set(['u1']), ended: [] }), done);
      store.addFaults(start + 13 * minute, [fault('u1', 4)]);
    }
    using store = new EventStore(place.directory);
    assert.deepEqual(value(store.tenancies()), new Map([['u1', tenancy]]));
    const counts = (from: number, member: Member) =>
      value(store.faultCounts({ from, to: start + day })).get(member)?.['cpu.limit'];
    // The slot of five minutes in which it began is its own; what was counted there before is still there.
    assert.equal(counts(since, 'u1'), 4);
    assert.equal(counts(0, 'u1'), 7);
    assert.equal(counts(since, 'u2'), 2);
    const seen = (map: ReadonlyMap<Member, number>) =>
      value(store.incidents({ ...everything, since: map })).incidents.map((each) => each.id);
    assert.deepEqual(seen(new Map([['u1', since]])), [4, 3]);
    assert.deepEqual(seen(new Map([['u2', 0]])), []);
    assert.deepEqual(
      store.keepTenancies({ kept: new Map(), begun: new Set(), ended: ['u1'] }),
      done,
    );
    assert.deepEqual(value(store.tenancies()), new Map());
  });
});
