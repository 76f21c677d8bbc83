/** `EventStore` stores incidents with evidence, faults and alerts, and finds them again. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { EventStore } from '../../src/store/events/event-store.ts';
import { evidenceBytesMax } from '../../src/store/events/snapshot-bytes.ts';
import { periodSlices } from '../../src/cloudlinux/commands/lve-period.ts';
import type { Member } from '../../src/usage/member.ts';
import { done, hour, Place, start, value } from './samples.ts';
import { incident, process, snapshot, fault, everything, countIn } from './event-samples.ts';

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

  test('incidents() leaves out what was only watched, if asked to', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    const opened = [
      ['cpu.limit', 'throttled'],
      ['cpu.limit', 'observed'],
      ['reach.mail', 'throttled'],
      ['reach.mail', 'refused'],
    ] as const;
    for (const [limit, severity] of opened) value(store.open(incident({ limit, severity })));
    const found = (more: object) => {
      const { incidents, total } = value(store.incidents({ ...everything, ...more }));
      assert.equal(total, incidents.length);
      return incidents.map(({ id }) => id);
    };
    assert.deepEqual(found({}), [4, 3, 2, 1]);
    assert.deepEqual(found({ enforcedRules: ['reach.mail'] }), [4, 1]);
    assert.deepEqual(found({ enforcedRules: ['reach.mail'], severity: 'refused' }), [4]);
    assert.deepEqual(found({ enforcedRules: [] }), [4, 3, 1]);
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

  test('faultCounts() counts each fault in exactly one part of a period', () => {
    using place = new Place();
    using store = new EventStore(place.directory);
    for (let minute = 0; minute < 120; minute++)
      assert.deepEqual(store.addFaults(start + minute * 60_000, [fault('u1', minute + 1)]), done);
    const countOf = (query: Parameters<typeof store.faultCounts>[0]) =>
      value(store.faultCounts(query)).get('u1')?.['cpu.limit'] ?? 0;
    const minutes = (count: number) => start + count * 60_000;
    for (const [from, to] of [
      [0, 60],
      [3, 61],
      [5, 65],
      [4, 6],
      [-7, 130],
    ] as const) {
      const period = { from: minutes(from), to: minutes(to) };
      for (const length of [1, 2, 5, 7, 30, 60]) {
        const parts = periodSlices(period, length * 60_000);
        const counts = parts.map(countOf);
        assert.equal(
          counts.reduce((sum, each) => sum + each, 0),
          countOf(period),
          `${from} to ${to} in parts of ${length} minutes`,
        );
      }
    }
    const hours = periodSlices({ from: minutes(0), to: minutes(120) }, 3_600_000);
    const sumOf = (first: number, last: number) => ((first + last) * (last - first + 1)) / 2;
    assert.deepEqual(hours.map(countOf), [sumOf(1, 60), sumOf(61, 120)]);
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
});
