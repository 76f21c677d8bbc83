/** A centre takes what a host has signed, and nothing of one host keeps out that of another. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { EventsDocument } from '../../src/fleet/core/told/events.ts';
import { hostNamespaces, type HostNamespace } from '../../src/fleet/core/told/signed.ts';
import { statusText, type HostStatus } from '../../src/fleet/core/told/status.ts';
import { readHostKey, type HostKey } from '../../src/fleet/io/outbox/host-key.ts';
import { CentreStore } from '../../src/fleet/io/server/centre-store.ts';
import { Collector, type Told } from '../../src/fleet/io/server/collector.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const noon = Date.parse('2027-01-31T12:00:00.000Z');
const minute = 60_000;

suite('a collector', () => {
  const directory = suiteDirectory('fleet-collector');

  const keyOf = (host: string): HostKey => {
    mkdirSync(join(directory, host), { recursive: true });
    const key = readHostKey(join(directory, host));
    return key.ok ? key.value : assert.fail(key.error.reason);
  };
  const signed = (
    host: string,
    namespace: HostNamespace,
    document: string,
    receivedAt = noon,
  ): Told => ({ host, text: JSON.stringify(keyOf(host).sign(namespace, document)), receivedAt });

  const status = (host: string, at: number, state: HostStatus['state'], receivedAt = at): Told =>
    signed(
      host,
      hostNamespaces.status,
      statusText({
        format: 1,
        fleet: 'example',
        host,
        at: new Date(at).toISOString(),
        state,
        generation: 7,
        newest: 7,
        root: '0'.repeat(64),
        confirmed: null,
        tenants: 1,
        faults24h: 0,
        outside: 0,
        why: null,
        room: null,
        events: null,
      }),
      receivedAt,
    );
  const events = (host: string, first: number, count: number, more: object = {}): Told => {
    const document: EventsDocument = {
      format: 1,
      fleet: 'example',
      host,
      epoch: 'e1',
      oldest: 1,
      first,
      events: Array.from({ length: count }, () => ({
        at: '2027-01-31T12:00:00.000Z',
        member: 'u1001',
        name: 'alice',
        limit: 'memory.limit',
        severity: 'killed',
        faults: 1,
      })),
      ...more,
    };
    return signed(host, hostNamespaces.events, JSON.stringify(document));
  };
  function centre(name: string) {
    const store = new CentreStore(join(directory, name));
    const collector = new Collector('example', store);
    const known = (host: string) => {
      const hosts = store.hosts();
      return hosts.ok ? hosts.value.find((each) => each.host === host) : undefined;
    };
    const marks = (...told: readonly Told[]) => {
      const taken = collector.events(told);
      return taken.ok
        ? Object.fromEntries([...taken.value].map(([host, { stored }]) => [host, stored]))
        : assert.fail(taken.error.reason);
    };
    return { store, collector, known, marks };
  }

  test('marks events as stored up to the first gap, in any order and any number of times', () => {
    const { marks, known, store } = centre('order');
    assert.deepEqual(marks(events('a', 11, 10)), { a: 0 });
    assert.deepEqual(marks(events('a', 1, 5)), { a: 5 });
    assert.deepEqual(marks(events('a', 3, 8), events('a', 1, 5)), { a: 20 });
    assert.equal(known('a')?.mark?.lost, 0);
    // What the host no longer has is lost, unless it comes late.
    assert.deepEqual(marks(events('a', 41, 2, { oldest: 31 })), { a: 30 });
    assert.equal(known('a')?.mark?.lost, 10);
    assert.deepEqual(marks(events('a', 21, 4)), { a: 30 });
    assert.equal(known('a')?.mark?.lost, 6);
    store[Symbol.dispose]();
  });

  test('a message that cannot be taken keeps out no other one', () => {
    const { marks, known, store } = centre('hostile');
    const far = 2 ** 50;
    const all = [
      events('evil', Number.MAX_SAFE_INTEGER, 2),
      events('evil', far, 30),
      { host: 'evil', text: '\u0000{', receivedAt: noon },
      { host: 'a.b', text: '{}', receivedAt: noon },
      events('good', 1, 3),
    ];
    assert.deepEqual(marks(...all), { evil: 0, good: 3 });
    assert.match(known('evil')?.refused ?? '', /not a JSON object/);
    store[Symbol.dispose]();
  });

  test('events far ahead of the mark are not stored, so that gaps fill no disk', () => {
    const { marks, store } = centre('ahead');
    for (let first = 2; first < 40_000; first += 300) marks(events('evil', first, 30));
    using db = new DatabaseSync(join(directory, 'ahead', 'centre.db'), { readOnly: true });
    const { count } = db.prepare('SELECT count(*) AS count FROM events').get() ?? {};
    assert.ok(Number(count) > 0 && Number(count) <= 5_060, String(count));
    // An honest host whose centre has lost everything follows its mark.
    assert.deepEqual(marks(events('good', 60_001, 3, { oldest: 11 })), { good: 10 });
    store[Symbol.dispose]();
  });

  test('an old status says nothing, and one of another time is refused', () => {
    const { collector, known, store } = centre('old');
    const healthy = status('a', noon, 'healthy');
    assert.ok(collector.statuses([healthy]).ok);
    assert.ok(collector.statuses([status('a', noon + minute, 'rolled back')]).ok);
    for (const again of [healthy, status('a', noon + minute, 'healthy')])
      assert.ok(collector.statuses([{ ...again, receivedAt: noon + 2 * minute }]).ok);
    assert.match(known('a')?.status ?? '', /rolled back/);
    assert.equal(known('a')?.receivedAt, noon + minute);
    assert.ok(collector.statuses([{ ...healthy, receivedAt: noon + 11 * minute }]).ok);
    assert.match(known('a')?.refused ?? '', /its clock is wrong, or the status is an old one/);
    assert.ok(collector.statuses([status('a', noon + 3 * minute, 'healthy')]).ok);
    assert.equal(known('a')?.refused, undefined);
    store[Symbol.dispose]();
  });

  test('nothing of another fleet, another host or another key counts', () => {
    const { collector, known, store } = centre('others');
    const own = status('a', noon, 'healthy');
    assert.ok(collector.statuses([own, { ...own, host: 'b' }]).ok);
    assert.equal(known('b')?.status, undefined);
    assert.match(known('b')?.refused ?? '', /another host/);
    const other = status('c', noon + minute, 'healthy');
    assert.ok(collector.statuses([{ ...other, host: 'a' }]).ok);
    assert.match(known('a')?.refused ?? '', /another key/);
    assert.ok(store.forget('a').ok);
    store[Symbol.dispose]();
  });
});
