/** Ticks and hours in the file: what comes back, in which order, and how long it stays. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../packages/base/problem.ts';
import type { HistoryDistribution } from '../../src/store/history/history-query.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { encodeSample, sampleValues } from '../../src/store/metrics/sample-code.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { emptyColumns, type Tick } from '../../src/usage/tick.ts';
import { day, done, hour, Place, rollUpAll, settings, start, tickOf, value } from './samples.ts';

const near = (actual: number, expected: number, share = 0.001) => {
  const max = Math.abs(expected) * share + 1e-9;
  assert.ok(Math.abs(actual - expected) <= max, `${actual} is not ${expected} within ${share}`);
};

const rows = (directory: string, sql: string) => {
  const db = new DatabaseSync(`${directory}/metrics.db`, { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};

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
    assert.deepEqual(store.add(tickOf(start + 10_000, {})), done);
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
    assert.ok(store.bytes() < 12 * 2 ** 20, `${store.bytes()} bytes`);
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

describe('HistoryReader', () => {
  const members: readonly Member[] = ['u1', 'u2', 'u3', 'r1'];
  const tick = fc.record({
    seconds: fc.constantFrom(1, 4.5, 5, 5.25, 60),
    use: fc.array(fc.option(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), { nil: 0 }), {
      minLength: 4,
      maxLength: 4,
    }),
  });

  test('returns the averages, quantiles, maxima and peaks of a naive computation', () => {
    fc.assert(
      fc.property(fc.array(tick, { minLength: 1, maxLength: 120 }), (samples) => {
        using place = new Place();
        using store = new MetricsStore(place.directory);
        using reader = new HistoryReader(place.directory);
        const ticks = samples.map(({ seconds, use }, index) =>
          tickOf(
            start + (index + 1) * 60_000,
            Object.fromEntries(
              use.flatMap((cpu, at) => (cpu === 0 ? [] : [[members[at], { cpu }]])),
            ),
            seconds,
          ),
        );
        for (const each of ticks) assert.deepEqual(store.add(each), done);
        const period = { from: start, to: start + day, metric: 'cpu' } as const;
        const fractions = [0.01, 0.5, 0.9, 0.95, 0.99, 1];
        const found = value(reader.quantiles({ ...period, fractions }));
        const { rows } = value(reader.usage({ ...period, metrics: ['cpu'] }));
        for (const member of members) {
          const naive = naiveOf(ticks, member);
          if (naive.max === 0) assert.equal(found.get(member), undefined);
          else {
            assert.deepEqual(found.get(member), fractions.map(naive.quantile));
            const row = rows.get(member)?.cpu;
            near(row?.average ?? 0, naive.average, 1e-9);
            assert.equal(row?.max, naive.max);
            assert.equal(row?.p95, naive.quantile(0.95));
          }
        }
        const totals = ticks.map((each) =>
          each.members.reduce(
            (sum, member) => sum + (member === 'r1' ? 0 : codedIn(each, member)),
            0,
          ),
        );
        near(value(reader.peakTotal(period)), Math.max(...totals), 1e-6);
      }),
      { numRuns: 60 },
    );
  });

  test('returns all metrics of each member, dense, sparse or with wide numbers', () => {
    using place = new Place();
    const random = mulberry(7);
    const members = Array.from({ length: 70 }, (_, index): Member => `u${index}`);
    const ticks = Array.from({ length: 60 }, (_, number): Tick => {
      const present = members.filter(() => random() < 0.7);
      const columns = emptyColumns(present.length);
      for (const [place, key] of metricKeys.entries()) {
        const share = [1, 0.9, 0.3, 0.05, 0][place % 5] ?? 0;
        for (let index = 0; index < present.length; index++) {
          if (random() < share) columns[key][index] = Math.ceil(random() * 1_000);
        }
      }
      return { at: start + (number + 1) * 1_000, seconds: 1, members: present, columns };
    });
    const first = new MetricsStore(place.directory);
    assert.deepEqual(first.add(tickOf(start - 1_000, { u0: { cpu: 1 } })), done);
    first[Symbol.dispose]();
    const db = new DatabaseSync(`${place.directory}/metrics.db`);
    db.exec("INSERT INTO members VALUES (70000, 'u69', 0)");
    db.close();
    using store = new MetricsStore(place.directory);
    for (const tick of ticks) assert.deepEqual(store.add(tick), done);
    using reader = new HistoryReader(place.directory);
    const query = { from: start, to: start + hour, metrics: metricKeys };
    const together = value(reader.usage(query)).rows;
    const few = value(reader.usage({ ...query, members: members.slice(60) })).rows;
    for (const member of members) {
      const alone = value(reader.usage({ ...query, members: [member] })).rows.get(member);
      assert.deepEqual(alone, together.get(member));
      if (few.has(member)) assert.deepEqual(few.get(member), alone);
      for (const key of metricKeys) {
        const own = ticks.map(({ members: present, columns }) => {
          const index = present.indexOf(member);
          return index < 0 ? 0 : (columns[key][index] ?? 0);
        });
        assert.equal(alone?.[key]?.max, Math.max(...own));
        near(alone?.[key]?.average ?? 0, own.reduce((sum, each) => sum + each, 0) / 60, 1e-6);
        const point = { from: start, to: start + 60_000, member, metric: key, points: 60 };
        assert.deepEqual(value(reader.series(point)), own);
      }
    }
    assert.equal(few.size, 10);
  });

  test('quantiles() returns the same when there are too many samples to keep', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    const random = mulberry(3);
    const members = Array.from({ length: 1_500 }, (_, index): Member => `u${index}`);
    for (let number = 1; number <= 1_500; number++) {
      const columns = emptyColumns(members.length);
      for (let index = 0; index < members.length; index++) columns.cpu[index] = random() * 1e3;
      const tick = { at: start + number * 1_000, seconds: 1, members, columns };
      assert.deepEqual(store.add(tick), done);
    }
    const query = { metric: 'cpu', fractions: [0.5, 0.95] } as const;
    const whole = { from: start, to: start + hour, ...query };
    const all = value(reader.quantiles(whole));
    for (const member of ['u0', 'u700', 'u1499'] as const) {
      const alone = value(reader.quantiles({ ...whole, members: [member] }));
      assert.deepEqual(all.get(member), alone.get(member));
    }
  });

  test('series() returns null where nothing was measured', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    for (const [at, cpu] of [
      [10, 1],
      [20, 3],
      [30, 0],
      [70, 2],
      [80, 2],
    ] as const) {
      const use = cpu === 0 ? {} : { u1: { cpu } };
      assert.deepEqual(store.add(tickOf(start + at * 1_000, use, 10)), done);
    }
    const query = { from: start, to: start + 80_000, metric: 'cpu', points: 4 } as const;
    assert.deepEqual(value(reader.series({ ...query, member: 'u1' })), [2, 0, null, 2]);
    assert.deepEqual(value(reader.series({ ...query, member: 'u9' })), [0, 0, null, 0]);
    assert.equal(reader.series({ ...query, member: 'u1', points: 0 }).ok, false);
  });

  test('uses hours where ticks were deleted, and ticks for the rest', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    for (let at = start + 60_000; at <= start + 6 * hour - 60_000; at += 60_000) {
      const cpu = at <= start + 3 * hour ? 1 : 3;
      assert.deepEqual(store.add(tickOf(at, { u1: { cpu } }, 60)), done);
    }
    rollUpAll(store, start + 6 * hour - 60_000);
    const keep = { ...settings, detailMilliseconds: 3.5 * hour };
    for (let call = 0; call < 370; call++) store.prune(start + 6 * hour, keep);
    const [first] = rows(place.directory, 'SELECT min(at) AS at FROM ticks');
    assert.equal(first?.['at'], start + 2.5 * hour);
    const usage = (from: number, to: number) =>
      value(reader.usage({ from: start + from * hour, to: start + to * hour, metrics: ['cpu'] }));
    const all = usage(0, 6);
    assert.equal(all.detail, 'hours');
    assert.equal(all.measuredSeconds, 359 * 60);
    near(all.rows.get('u1')?.cpu?.average ?? 0, (180 + 179 * 3) / 359, 1e-6);
    near(all.rows.get('u1')?.cpu?.p95 ?? 0, 3, 0.07);
    const late = usage(3, 6);
    assert.equal(late.detail, 'ticks');
    assert.deepEqual(late.rows.get('u1')?.cpu?.p95, 3);
    const series = value(
      reader.series({ from: start, to: start + 6 * hour, metric: 'cpu', member: 'u1', points: 12 }),
    );
    assert.deepEqual(
      series.map((each) => each?.toFixed(3)),
      Array.from({ length: 12 }, (_, part) => (part < 6 ? '1.000' : '3.000')),
    );
  });

  test('peakTotal() refuses an empty period', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    assert.deepEqual(store.add(tickOf(start, { u1: { cpu: 1 } })), done);
    for (const from of [start, start + 1, NaN]) {
      const answer = reader.peakTotal({ from, to: start, metric: 'cpu' });
      assert.match(answer.ok ? '' : formatProblem(answer.error), /the period is empty/);
    }
  });

  test('reports that there is no history yet when the directory is empty', () => {
    using place = new Place();
    using reader = new HistoryReader(place.directory);
    const answer = reader.peakTotal({ from: 0, to: 1, metric: 'cpu' });
    assert.match(answer.ok ? '' : formatProblem(answer.error), /there is none yet/);
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

const codedIn = ({ members, columns }: Tick, member: Member) => {
  const index = members.indexOf(member);
  return index < 0 ? 0 : (sampleValues[encodeSample(columns.cpu[index] ?? 0)] ?? 0);
};

function naiveOf(ticks: readonly Tick[], member: Member) {
  const samples = ticks
    .map((each) => ({ value: codedIn(each, member), seconds: each.seconds }))
    .sort((a, b) => a.value - b.value);
  const total = samples.reduce((sum, { seconds }) => sum + seconds, 0);
  const quantile = (fraction: number) => {
    let spent = 0;
    for (const { value: each, seconds } of samples) {
      spent += seconds;
      if (spent >= fraction * total - 1e-6) return each;
    }
    return samples.at(-1)?.value ?? 0;
  };
  const average = samples.reduce((sum, each) => sum + each.value * each.seconds, 0) / total;
  return { quantile, average, max: samples.at(-1)?.value ?? 0 };
}

/** Returns a generator of random numbers that are the same in every run. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
