/** `EventStore` stays within its bounds, keeps rows when it migrates, and tells owners of a uid apart. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { EventStore } from '../../src/store/events/event-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { day, done, Place, settings, start, value } from './samples.ts';
import { incident, process, snapshot, fault, everything, countIn } from './event-samples.ts';

describe('EventStore within its bounds', () => {
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
