/** Metrics that can be unknown, since a database server may not answer: gaps, and never zeros. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { splitKnown, withKnown } from '../../src/store/metrics/hour-row.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import type { MetricKey } from '../../src/usage/metrics.ts';
import { databaseKeys } from '../../src/usage/part-keys.ts';
import type { Tick } from '../../src/usage/tick.ts';
import { done, hour, Place, rollUpAll, start, tickOf, value } from './samples.ts';
import { near } from './stored-ticks.ts';

const minutes = 60_000;
const metrics: readonly MetricKey[] = ['cpu', 'databaseCpu'];
const unknown = (tick: Tick): Tick => ({ ...tick, known: [] });
const known = (tick: Tick): Tick => ({ ...tick, known: databaseKeys });

/** An hour in minutes: for the first half nothing is known, then u1 uses half a core for 15, then nothing. */
function hourOf(store: MetricsStore, begin: number): void {
  for (let minute = 1; minute <= 60; minute++) {
    const at = begin + minute * minutes;
    const databaseCpu = minute > 30 && minute <= 45 ? 0.5 : 0;
    const tick = tickOf(at, { u1: { cpu: 1, databaseCpu }, 'u1/shop.example': { cpu: 1 } }, 60);
    assert.deepEqual(store.add(minute <= 30 ? unknown(tick) : tick), done);
  }
}

/** Rolls up and forgets ticks, so that only hours are left. */
function onlyHours(place: Place, store: MetricsStore, now: number): void {
  rollUpAll(store, now);
  const db = new DatabaseSync(`${place.directory}/metrics.db`);
  db.exec('DELETE FROM ticks');
  db.close();
}

describe('metrics of database servers', () => {
  for (const detail of ['ticks', 'hours'] as const) {
    test(`unknown time is in no average, by ${detail}`, () => {
      using place = new Place();
      using store = new MetricsStore(place.directory);
      using reader = new HistoryReader(place.directory);
      hourOf(store, start);
      store.add(tickOf(start + hour + minutes, {}, 60));
      if (detail === 'hours') onlyHours(place, store, start + 2 * hour);
      const period = { from: start, to: start + hour };
      const usage = value(reader.usage({ ...period, metrics }));
      assert.equal(usage.detail, detail);
      assert.deepEqual(usage.unknown, []);
      const own = usage.rows.get('u1');
      near(own?.databaseCpu?.average ?? 0, 0.25, 1e-6);
      near(own?.databaseCpu?.p95 ?? 0, 0.5, 0.07);
      assert.equal(own?.databaseCpu?.max, 0.5);
      near(own?.cpu?.average ?? 0, 1, 1e-6);
      const limits = new Map([['u1', 0.1]] as const);
      const replay = value(
        reader.replays({ ...period, metric: 'databaseCpu', points: 1, limits }),
      ).get('u1');
      near(replay?.measuredSeconds ?? 0, 30 * 60, 1e-6);
      assert.equal(value(reader.peakTotal({ ...period, metric: 'databaseCpu' })), 0.5);
    });

    test(`time in which nothing was asked is unknown, by ${detail}`, () => {
      using place = new Place();
      using store = new MetricsStore(place.directory);
      using reader = new HistoryReader(place.directory);
      for (let minute = 1; minute <= 60; minute++) {
        const tick = tickOf(start + minute * minutes, { u1: { cpu: 1 } }, 60);
        assert.deepEqual(store.add(unknown(tick)), done);
      }
      store.add(unknown(tickOf(start + hour + minutes, {}, 60)));
      if (detail === 'hours') onlyHours(place, store, start + 2 * hour);
      const period = { from: start, to: start + hour };
      const usage = value(reader.usage({ ...period, metrics }));
      assert.deepEqual(usage.unknown, ['databaseCpu']);
      assert.deepEqual(Object.keys(usage.rows.get('u1') ?? {}), ['cpu']);
      const maxima = value(reader.maxima({ ...period, metrics }));
      assert.deepEqual(maxima.unknown, ['databaseCpu']);
      assert.deepEqual(maxima.rows.get('u1'), { cpu: 1 });
      for (const subject of ['u1', 'u2', 'tenants'] as const) {
        const asked = { ...period, of: subject, metrics, points: 2 };
        const columns = value(reader.columns(asked));
        assert.deepEqual(columns.seconds, [1800, 1800]);
        assert.deepEqual(columns.metrics.get('databaseCpu')?.averages, [null, null]);
      }
    });
  }

  test('an unknown part of a series is a gap, and the time is measured all the same', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    hourOf(store, start);
    const asked = { from: start, to: start + hour, points: 4 };
    const columns = value(reader.columns({ ...asked, of: 'u1', metrics: ['databaseCpu', 'cpu'] }));
    assert.deepEqual(columns.seconds, [900, 900, 900, 900]);
    assert.deepEqual(columns.metrics.get('databaseCpu')?.averages, [null, null, 0.5, 0]);
    assert.deepEqual(columns.metrics.get('databaseCpu')?.maxima, [null, null, 0.5, 0]);
    assert.deepEqual(columns.metrics.get('cpu')?.averages, [1, 1, 1, 1]);
  });

  test('a tenant that does nothing at all is known to use no database', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    store.add(known(tickOf(start + 5_000, {})));
    const asked = { from: start, to: start + 5_000, points: 1, metrics };
    const columns = value(reader.columns({ ...asked, of: 'u7' }));
    assert.deepEqual(columns.metrics.get('databaseCpu')?.averages, [0]);
    assert.deepEqual(value(reader.usage({ ...asked })).unknown, []);
  });

  test('a site has none', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    hourOf(store, start);
    const asked = { from: start, to: start + hour, metrics };
    const site = 'u1/shop.example';
    const row = value(reader.usage(asked)).rows.get(site);
    assert.deepEqual(Object.keys(row ?? {}), ['cpu']);
    assert.deepEqual(value(reader.maxima(asked)).rows.get(site), { cpu: 1 });
    const columns = value(reader.columns({ ...asked, of: site, points: 1 }));
    assert.deepEqual(columns.metrics.get('databaseCpu')?.averages, [null]);
  });

  test('a history of an earlier version is unknown before, and goes on', () => {
    using place = new Place();
    {
      using store = new MetricsStore(place.directory);
      store.add(tickOf(start + 5_000, { u1: { cpu: 1 } }));
    }
    const db = new DatabaseSync(`${place.directory}/metrics.db`);
    for (const table of ['ticks', 'hours'])
      for (const key of databaseKeys) db.exec(`ALTER TABLE ${table} DROP COLUMN "${key}"`);
    db.close();
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(tickOf(start + 10_000, { u1: { databaseCpu: 0.5 } })), done);
    assert.deepEqual(store.takeNotes(), []);
    using reader = new HistoryReader(place.directory);
    const asked = { from: start, to: start + 10_000, points: 2, metrics };
    const columns = value(reader.columns({ ...asked, of: 'u1' }));
    assert.deepEqual(columns.metrics.get('databaseCpu')?.averages, [null, 0.5]);
    assert.equal(value(reader.usage(asked)).rows.get('u1')?.databaseCpu?.average, 0.5);
  });

  test('what is known to be zero takes no more space than what is unknown', () => {
    const [without, zero] = [unknown, known].map((as) => {
      using place = new Place();
      using store = new MetricsStore(place.directory);
      for (let tick = 1; tick <= 1_440; tick++)
        store.add(as(tickOf(start + tick * 5_000, { u1: { cpu: 1 } })));
      return store.bytes();
    });
    assert.equal(without, zero);
  });

  test('a damaged number of seconds does not count', () => {
    const column = new Uint8Array([1, 2, 3, 4, 5]);
    const stored = withKnown('databaseCpu', column, 30);
    const split = splitKnown('databaseCpu', stored ?? null, 60);
    assert.equal(split.seconds, 30);
    assert.deepEqual([...(split.bytes ?? [])], [...column]);
    for (const bad of [NaN, -1, Infinity]) {
      const bytes = new Uint8Array(new Float32Array([bad, 1]).buffer);
      assert.ok(splitKnown('databaseCpu', bytes, 60).seconds <= 60);
    }
    assert.deepEqual(splitKnown('databaseCpu', new Uint8Array(3), 60), { seconds: 0, bytes: null });
    assert.deepEqual(splitKnown('cpu', column, 60), { seconds: 60, bytes: column });
  });
});
