/** Ticks and hours in the file: their order, and how long they stay. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { HistoryDistribution } from '../../src/store/history/history-query.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { encodeSample, sampleValues } from '../../src/store/metrics/sample-code.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { partKeys } from '../../src/usage/part-keys.ts';
import { day, done, hour, Place, rollUpAll, settings, start, tickOf, value } from './samples.ts';
import { mulberry, near, rows } from './stored-ticks.ts';

describe('encodeSample()', () => {
  test('keeps values within 0.1 %, and their order', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e15, noNaN: true }), (number) => {
        near(sampleValues[encodeSample(number)] ?? 0, number);
        assert.ok(encodeSample(number * 1.01) > encodeSample(number));
      }),
    );
  });
  test('keeps whole numbers up to 1024 exactly', () => {
    for (let number = 0; number <= 1_024; number++) {
      assert.equal(sampleValues[encodeSample(number)], number);
    }
  });
  test('returns 0 for negative and tiny numbers and NaN', () => {
    for (const odd of [NaN, -1, -0, -Infinity, 1e-30]) assert.equal(encodeSample(odd), 0);
    assert.equal(encodeSample(Infinity), 0xffff);
  });
});

describe('MetricsStore', () => {
  test('add() stores every metric of every member', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    const use = Object.fromEntries(metricKeys.map((key, index) => [key, (index + 1) * 1.5]));
    assert.deepEqual(store.add(tickOf(start + 5_000, { u1001: use, r1000: { cpu: 3 } })), done);
    const idle = { ...tickOf(start + 10_000, {}), known: partKeys };
    assert.deepEqual(store.add(idle), done);
    const usage = value(reader.usage({ from: start, to: start + hour, metrics: metricKeys }));
    assert.equal(usage.detail, 'ticks');
    assert.equal(usage.measuredSeconds, 10);
    for (const [index, key] of metricKeys.entries()) {
      const found = usage.rows.get('u1001')?.[key];
      near(found?.max ?? 0, (index + 1) * 1.5);
      near(found?.average ?? 0, ((index + 1) * 1.5) / 2);
    }
    assert.equal(usage.rows.get('r1000')?.cpu?.max, 3);
    assert.equal(usage.rows.get('r1000')?.memory?.max, 0);
  });

  test('add() reuses member numbers when the store is opened again', () => {
    using place = new Place();
    using reader = new HistoryReader(place.directory);
    for (const member of ['u1', 'u2', 'u1'] as const) {
      using store = new MetricsStore(place.directory);
      const at = start + (store.oldest() === undefined ? 1_000 : 2_000);
      assert.deepEqual(store.add(tickOf(at, { [member]: { cpu: 1 } })), done);
    }
    const { rows } = value(reader.usage({ from: start, to: start + hour, metrics: ['cpu'] }));
    near(rows.get('u1')?.cpu?.average ?? 0, 2 / 3);
    near(rows.get('u2')?.cpu?.average ?? 0, 1 / 3);
  });

  test('add() and rollUp() keep all ticks when the clock repeats or goes back', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    const times = [5_000, 5_000, hour + 5_000, 10_000, 10_000, hour + 9_000, 3 * hour];
    for (const time of times) {
      assert.deepEqual(store.add(tickOf(start + time, { u1: { cpu: 1 } })), done);
      assert.deepEqual(store.rollUp(start + time), done);
    }
    rollUpAll(store, start + 5 * hour);
    const period = { from: start, to: start + day };
    assert.equal(value(reader.usage({ ...period, metrics: ['cpu'] })).measuredSeconds, 35);
    const runs = rows(place.directory, 'SELECT hour, first, last FROM hours ORDER BY id');
    assert.deepEqual(
      runs.map((run) => [Number(run['hour']) - start, run['first'], run['last']]),
      [
        [0, 1, 2],
        [hour, 3, 3],
        [0, 4, 5],
        [hour, 6, 6],
        [2 * hour, 7, 7],
      ],
    );
  });

  test('rollUp() sums each hour up once, with the same results as the ticks', () => {
    using place = new Place();
    const random = mulberry(7);
    {
      using store = new MetricsStore(place.directory);
      for (let at = start + 5_000; at <= start + 3 * hour; at += 15_000) {
        const use = { u1: { cpu: random() ** 3, memory: 1e9 * random() }, u2: { cpu: random() } };
        assert.deepEqual(store.add(tickOf(at, random() < 0.3 ? use : {}, 15)), done);
      }
      for (let step = 0; step < 5; step++) store.rollUp(start + 3 * hour);
    }
    using store = new MetricsStore(place.directory);
    rollUpAll(store, start + 2 * day);
    rollUpAll(store, start + 2 * day);
    assert.equal(rows(place.directory, 'SELECT * FROM hours').length, 3);
    using reader = new HistoryReader(place.directory);
    const period = { from: start, to: start + 3 * hour, metrics: ['cpu', 'memory'] as const };
    const exact = value(reader.usage(period));
    const longer = value(reader.usage({ ...period, to: start + 60 * hour }));
    assert.deepEqual([exact.detail, longer.detail], ['ticks', 'hours']);
    near(longer.measuredSeconds, exact.measuredSeconds, 1e-9);
    compare(longer.rows.get('u1')?.cpu, exact.rows.get('u1')?.cpu);
    compare(longer.rows.get('u1')?.memory, exact.rows.get('u1')?.memory);
    compare(longer.rows.get('u2')?.cpu, exact.rows.get('u2')?.cpu);
    const peak = { from: start, metric: 'cpu' } as const;
    near(
      value(reader.peakTotal({ ...peak, to: start + 60 * hour })),
      value(reader.peakTotal({ ...peak, to: start + 3 * hour })),
      1e-6,
    );
  });

  test('prune() deletes ticks by age once they are summed up, and hours later', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    for (let tick = 1; tick <= 1_000; tick++) {
      assert.deepEqual(store.add(tickOf(start + tick * 10_000, { u1: { cpu: 1 } })), done);
    }
    const count = (table: string) =>
      rows(place.directory, `SELECT count(*) AS n FROM ${table}`)[0]?.['n'];
    const late = start + 3 * day;
    const steady = (now: number, calls: number) => {
      for (let call = 0; call < calls; call++) {
        assert.deepEqual(store.prune(now, settings), done);
      }
    };
    steady(late, 400);
    assert.equal(count('ticks'), 1_000, 'what is not summed up stays');
    rollUpAll(store, late);
    steady(late + 1, 1);
    assert.equal(count('ticks'), 900, 'a call deletes at most 100');
    steady(late + 1, 20);
    assert.equal(count('ticks'), 0);
    assert.equal(count('hours'), 3);
    steady(start + 500 * day, 10);
    assert.equal(count('hours'), 3, 'a clock that jumps is not believed at once');
    steady(start + 500 * day, 400);
    assert.equal(count('hours'), 1, 'the last one says what is summed up');
    assert.deepEqual(store.add(tickOf(start + 500 * day, { u1: { cpu: 1 } })), done);
    const [row] = rows(place.directory, 'SELECT max(id) AS id FROM ticks');
    assert.equal(row?.['id'], 1_001, 'no id is given twice');
  });

  test('prune() keeps the file within its bytes, and returns free space', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    const members = Array.from({ length: 1_000 }, (_, index): Member => `u${1_000 + index}`);
    const busy = Object.fromEntries(metricKeys.map((key) => [key, 1]));
    const columns = tickOf(0, Object.fromEntries(members.map((each) => [each, busy]))).columns;
    const bytesMax = 10 * 2 ** 20;
    let largest = 0;
    for (let tick = 1; tick <= 1_500; tick++) {
      const at = start + tick * 30_000;
      assert.deepEqual(store.add({ at, seconds: 30, members, columns }), done);
      assert.deepEqual(store.rollUp(at), done);
      assert.deepEqual(store.prune(at, { ...settings, bytesMax }), done);
      largest = Math.max(largest, store.bytes());
    }
    // The file may hold an eighth of free pages, and has a write-ahead log next to it.
    assert.ok(largest < bytesMax * 1.2 + 16 * 2 ** 20, `${largest} bytes`);
    const kept = Number(rows(place.directory, 'SELECT count(*) AS n FROM ticks')[0]?.['n']);
    assert.ok(kept > 100 && kept < 720, `${kept} ticks are kept`);
    const small = { ...settings, bytesMax: 2 ** 20 };
    for (let call = 0; call < 400; call++) store.prune(start + 2 * day, small);
    assert.ok(store.bytes() < 16 * 2 ** 20, `${store.bytes()} bytes`);
    assert.equal(rows(place.directory, 'PRAGMA integrity_check')[0]?.['integrity_check'], 'ok');
  });

  test('keeps a history that lacks a metric of this version', () => {
    using place = new Place();
    {
      using store = new MetricsStore(place.directory);
      store.add(tickOf(start + 5_000, { u1: { cpu: 1, ioPressure: 1 } }));
    }
    const db = new DatabaseSync(`${place.directory}/metrics.db`);
    db.exec(
      'ALTER TABLE ticks DROP COLUMN "ioPressure"; ALTER TABLE hours DROP COLUMN "ioPressure"',
    );
    db.close();
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(tickOf(start + 10_000, { u1: { ioPressure: 0.5 } })), done);
    assert.deepEqual(store.takeNotes(), []);
    using reader = new HistoryReader(place.directory);
    const query = { from: start, to: start + hour, metrics: ['cpu', 'ioPressure'] as const };
    const found = value(reader.usage(query)).rows.get('u1');
    assert.equal(found?.cpu?.max, 1);
    assert.equal(found?.ioPressure?.average, 0.25);
  });
});

function compare(
  hours: HistoryDistribution | undefined,
  ticks: HistoryDistribution | undefined,
): void {
  assert.ok(hours !== undefined && ticks !== undefined);
  near(hours.average, ticks.average, 1e-9);
  assert.equal(hours.max, ticks.max);
  near(hours.p95, ticks.p95, 0.07);
}
