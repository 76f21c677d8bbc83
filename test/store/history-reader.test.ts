/** The history that is read from ticks and hours, compared with a plain computation. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../packages/base/problem.ts';
import { HistoryReader, Stopped } from '../../src/store/history/history-reader.ts';
import { HourCache } from '../../src/store/metrics/hour-totals.ts';
import {
  decodeHourColumn,
  decodeHourTotals,
  encodeHourColumn,
  HourTally,
} from '../../src/store/metrics/hour-row.ts';
import { addMetricColumns, metricsMigrations } from '../../src/store/metrics/metrics-schema.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { encodeSample, sampleValues } from '../../src/store/metrics/sample-code.ts';
import type { RowSource } from '../../src/store/metrics/source.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { partKeys } from '../../src/usage/part-keys.ts';
import { replayLimit } from '../../src/usage/simulate.ts';
import { emptyColumns, type Tick } from '../../src/usage/tick.ts';
import { day, done, hour, Place, rollUpAll, settings, start, tickOf, value } from './samples.ts';
import { mulberry, near, rows } from './stored-ticks.ts';

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
      const at = start + (number + 1) * 1_000;
      return { at, seconds: 1, members: present, columns, known: partKeys };
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
        const seconds = Array<number>(60).fill(1);
        assert.deepEqual(value(reader.series(point)), { averages: own, maxima: own, seconds });
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
    assert.deepEqual(value(reader.series({ ...query, member: 'u1' })), {
      averages: [2, 0, null, 2],
      maxima: [3, 0, null, 2],
      seconds: [20, 10, 0, 20],
    });
    const idle = [0, 0, null, 0];
    assert.deepEqual(value(reader.series({ ...query, member: 'u9' })), {
      averages: idle,
      maxima: idle,
      seconds: [20, 10, 0, 20],
    });
    assert.equal(reader.series({ ...query, member: 'u1', points: 0 }).ok, false);
  });

  test('a series has no gaps in ticks that are longer than its parts', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    for (const [at, cpu] of [
      [60, 1],
      [120, 3],
      [240, 2],
    ] as const)
      assert.deepEqual(store.add(tickOf(start + at * 1_000, { u1: { cpu } }, 60)), done);
    const query = { from: start + 30_000, to: start + 240_000, metric: 'cpu', points: 7 } as const;
    const values = [1, 3, 3, null, null, 2, 2];
    assert.deepEqual(value(reader.series({ ...query, member: 'u1' })), {
      averages: values,
      maxima: values,
      seconds: values.map((each) => (each === null ? 0 : 30)),
    });
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
      series.averages.map((each) => each?.toFixed(3)),
      Array.from({ length: 12 }, (_, part) => (part < 6 ? '1.000' : '3.000')),
    );
    // Of an hour whose ticks are gone, the maximum was in one half or the other.
    assert.deepEqual(series.maxima.slice(0, 4), [null, null, null, null]);
    const hours = { from: start, to: start + 6 * hour, metric: 'cpu', member: 'u1' } as const;
    assert.deepEqual(
      value(reader.series({ ...hours, points: 6 })).maxima,
      Array.from({ length: 6 }, (_, part) => (part < 3 ? 1 : 3)),
    );
  });

  test('a series is of its own member and metric, whichever were asked before', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    for (let at = start + hour / 2; at < start + 60 * hour; at += hour / 2) {
      const cpu = Math.ceil((at - start) / hour);
      const use = { u1: { cpu, memory: 10 * cpu }, u2: { cpu: 100 * cpu } };
      assert.deepEqual(store.add(tickOf(at, use, 1_800)), done);
      rollUpAll(store, at);
    }
    const query = { from: start, to: start + 59 * hour, points: 59 } as const;
    for (let round = 0; round < 2; round++) {
      for (const [member, metric, factor] of [
        ['u1', 'cpu', 1],
        ['u2', 'cpu', 100],
        ['u1', 'memory', 10],
        ['u2', 'memory', 0],
      ] as const) {
        const { averages, maxima } = value(reader.series({ ...query, member, metric }));
        for (const [part, average] of averages.entries()) {
          near(average ?? -1, factor * (part + 1), 1e-3);
          assert.ok(Math.abs((maxima[part] ?? -1) - factor * (part + 1)) <= factor * 0.1);
        }
      }
    }
  });

  test("replays() returns what each member's own series would, with peaks between ticks", () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    const random = mulberry(5);
    const limits = new Map<Member, number>();
    for (let member = 1; member <= 30; member++) limits.set(`u${member}`, 5 * random());
    for (let at = start + hour / 2; at < start + 60 * hour; at += hour / 2) {
      const busy = [...limits.keys()].filter((each) => each !== 'u30' && random() < 0.5);
      const use = busy.map((each) => {
        const threads = Math.ceil(9 * random());
        return [each, { cpu: 6 * random(), threads, threadsPeak: threads + 3 * random() }] as const;
      });
      assert.deepEqual(store.add(tickOf(at, Object.fromEntries(use), 1_800)), done);
      rollUpAll(store, at);
    }
    // Hours, and then ticks; with as many parts as hours, and with others.
    for (const [to, points] of [
      [59, 59],
      [59, 7],
      [20, 40],
    ] as const) {
      const query = { from: start, to: start + to * hour, points };
      for (const metric of ['cpu', 'threads'] as const) {
        const replays = value(reader.replays({ ...query, metric, limits }));
        assert.deepEqual([...replays.keys()], [...limits.keys()]);
        for (const [member, limit] of limits) {
          const own = value(reader.series({ ...query, metric, member }));
          const peaks = value(reader.series({ ...query, metric: 'threadsPeak', member }));
          const averages = own.averages.map((each) => each ?? NaN);
          const maxima = own.maxima.map((max, part) => {
            const peak = metric === 'threads' ? (peaks.maxima[part] ?? null) : 0;
            return max === null || peak === null ? NaN : Math.max(max, peak);
          });
          const recorded = { averages, maxima, seconds: own.seconds };
          assert.deepEqual(replays.get(member), replayLimit(recorded, limit), member);
        }
        assert.ok([...replays.values()].some(({ secondsMin }) => secondsMin > 0));
        assert.equal(replays.get('u30')?.secondsMax, 0);
      }
    }
    const query = { from: start, to: start + hour, metric: 'cpu' } as const;
    assert.equal(reader.replays({ ...query, points: 0, limits }).ok, false);
    assert.deepEqual(value(reader.replays({ ...query, points: 1, limits: new Map() })), new Map());
  });

  test('columns() adds up all tenants, without resellers and sites, in ticks and in hours', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    const end = start + 4 * hour;
    for (let at = start + 60_000; at <= end; at += 60_000) {
      const [one, two] = (at / 60_000) % 2 === 0 ? [3, 0] : [0, 2];
      const use = { u1: { cpu: one, memory: 8 }, u2: { cpu: two, memory: 16 } };
      const sums = { r1: { cpu: 100 }, 'u1/shop': { cpu: 50 } };
      assert.deepEqual(store.add(tickOf(at, { ...use, ...sums }, 60)), done);
    }
    const metrics = ['cpu', 'memory'] as const;
    const query = { from: start, to: end, of: 'tenants', metrics, points: 4 } as const;
    const check = () => {
      const { seconds, metrics: found } = value(reader.columns(query));
      assert.deepEqual(seconds, [3600, 3600, 3600, 3600]);
      for (const [metric, average, max] of [
        ['cpu', 2.5, 3],
        ['memory', 24, 24],
      ] as const) {
        const { averages = [], maxima = [] } = found.get(metric) ?? {};
        for (const each of averages) near(each ?? -1, average, 1e-3);
        for (const each of maxima) near(each ?? -1, max, 1e-3);
        assert.equal(averages.length, 4);
      }
    };
    check();
    rollUpAll(store, end + 1);
    const keep = { ...settings, detailMilliseconds: 0.5 * hour };
    for (let call = 0; call < 600; call++) store.prune(end + 2 * hour, keep);
    assert.ok(Number(rows(place.directory, 'SELECT count(*) AS n FROM ticks')[0]?.['n']) < 200);
    check();
  });

  test('unpacks an hour once for questions about several members, and keeps a bounded number', () => {
    using db = new DatabaseSync(':memory:');
    for (const each of metricsMigrations) if (typeof each === 'string') db.exec(each);
    addMetricColumns(db);
    const count = 100_000;
    const tally = new HourTally(new Uint8Array(count));
    tally.add(Uint32Array.of(1), Uint16Array.of(encodeSample(2)), 60);
    const column = tally.take();
    assert.ok(column !== undefined);
    const numbers = new Uint8Array(Uint32Array.from({ length: count }, (_, each) => each).buffer);
    const insert = db.prepare(
      `INSERT INTO hours (id, hour, first, last, seconds, ticks, count, members, cpu, memory)
       VALUES (?1, ?1 * 3600000, ?1, ?1, 60, 1, ${count}, ?2, ?3, x'00')`,
    );
    for (let hour = 1; hour <= 20; hour++) insert.run(hour, numbers, encodeHourColumn(column));
    const cache = new HourCache();
    const ask = (hourIds: readonly number[], metric: 'cpu' | 'memory' = 'cpu', slot = 0) => {
      const before = cache.unpacked;
      const slots = new Int32Array(count).fill(slot);
      const source = { hourIds, step: () => undefined } as unknown as RowSource;
      const found = [...cache.over(db, source, metric, slots)].map(({ totals }) => totals);
      return { found, unpacked: cache.unpacked - before };
    };
    const { found, unpacked } = ask([1, 2]);
    assert.deepEqual([unpacked, ask([1, 2]).unpacked], [2, 0]);
    assert.deepEqual([found[0]?.sums[0], found[0]?.sums[1]], [0, 120]);
    assert.deepEqual(ask([3], 'memory').found, [undefined]);
    assert.deepEqual(ask([4], 'cpu', -1), { found: [undefined], unpacked: 0 });
    ask(Array.from({ length: 20 }, (_, each) => each + 1));
    assert.equal(ask([1, 20]).unpacked, 1);
  });

  test('decodes the totals of an hour as they are in all of it, and none if it is cut off', () => {
    const use = fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(use, fc.integer({ min: 1, max: 200 }), (values, members) => {
        const tally = new HourTally(new Uint8Array(members).fill(1));
        for (const [index, each] of values.entries())
          tally.add(Uint32Array.of(index % members), Uint16Array.of(encodeSample(each)), 5);
        const column = tally.take();
        assert.ok(column !== undefined);
        const bytes = encodeHourColumn(column);
        const whole = decodeHourColumn(bytes, members);
        assert.ok(whole !== undefined);
        const { peak, sums, maxima } = whole;
        assert.deepEqual(decodeHourTotals(bytes, members), { peak, sums, maxima });
        assert.equal(decodeHourTotals(bytes.subarray(0, 6), members), undefined);
        assert.equal(decodeHourTotals(bytes, members + 10_000), undefined);
      }),
    );
  });

  test('a query that is stopped reads no further row, and the next one answers', () => {
    using place = new Place();
    using store = new MetricsStore(place.directory);
    for (let at = start + hour / 2; at <= start + 60 * hour; at += hour / 2) {
      assert.deepEqual(store.add(tickOf(at, { u1: { cpu: 1, threads: 2 } }, 1_800)), done);
      rollUpAll(store, at);
    }
    let [read, most] = [0, Infinity];
    using reader = new HistoryReader(place.directory, () => {
      if (read === most) throw new Stopped();
      read++;
    });
    const period = { from: start, to: start + 60 * hour, points: 60 };
    const metrics = ['cpu', 'threads'] as const;
    const limits = new Map([['u1', 1] as const]);
    const queries = [
      () => reader.maxima({ ...period, metrics }),
      () => reader.usage({ ...period, metrics }),
      () => reader.replays({ ...period, metric: 'threads', limits }),
      () => reader.columns({ ...period, metrics, of: 'tenants' }),
      () => reader.quantiles({ ...period, metric: 'cpu', fractions: [0.5] }),
      () => reader.peakTotal({ ...period, metric: 'cpu' }),
    ];
    for (const query of queries) {
      [read, most] = [0, Infinity];
      const whole = value<unknown>(query());
      assert.ok(read >= 60, `${read}`);
      for (const stop of [0, 1, 40, read - 1]) {
        [read, most] = [0, stop];
        const stopped = query();
        assert.match(stopped.ok ? '' : stopped.error.reason, /nobody waits/);
        assert.equal(read, stop);
      }
      [read, most] = [0, Infinity];
      assert.deepEqual(value<unknown>(query()), whole);
    }
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
