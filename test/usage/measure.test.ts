import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noCounters } from '../../src/limits/limits.ts';
import type { Quantity } from '../../packages/base/quantity.ts';
import type { Counters, LimitValues } from '../../src/limits/limit.ts';
import { detectFaults } from '../../src/usage/detect.ts';
import { measure, type Reading } from '../../src/usage/measure.ts';

const counters = (some: Partial<Counters>): Counters => ({ ...noCounters, ...some });
const reading = (before: Partial<Counters> | undefined, now: Partial<Counters>): Reading => ({
  member: 'u1001',
  before: before && counters(before),
  now: counters(now),
});

describe('measure()', () => {
  const value = (each: Reading, key: 'cpu' | 'memory' | 'anonymous' | 'read', seconds = 2) =>
    measure([each], 0, seconds).columns[key][0];

  test('makes rates of growing counters, and takes levels as they are', () => {
    const each = reading(
      { cpuMicroseconds: 1e6, readBytes: 100, threads: 1 },
      { cpuMicroseconds: 2e6, readBytes: 500, threads: 1, memoryBytes: 50, cacheBytes: 20 },
    );
    assert.equal(value(each, 'cpu'), 0.5);
    assert.equal(value(each, 'read'), 200);
    assert.equal(value(each, 'memory'), 50);
    assert.equal(value(each, 'anonymous'), 30);
  });

  test('divides by the time between the readings when that differs from the tick', () => {
    // The agent had to wait for the processor before it read this one.
    const late = {
      ...reading({ cpuMicroseconds: 0 }, { cpuMicroseconds: 3.5e6, threads: 1 }),
      seconds: 7,
    };
    assert.equal(value(late, 'cpu', 5), 0.5);
    const values = { 'io.read': 100 as Quantity };
    const read = { ...reading({ readBytes: 0 }, { readBytes: 500 }), seconds: 7 };
    assert.deepEqual(detectFaults(read, 5, values), []);
    assert.equal(detectFaults({ ...read, seconds: 5 }, 7, values).length, 1);
  });

  test('gives rate 0 without an earlier reading, and for a recreated cgroup', () => {
    assert.equal(value(reading(undefined, { cpuMicroseconds: 5e6, threads: 1 }), 'cpu'), 0);
    const anew = reading({ cpuMicroseconds: 5e6 }, { cpuMicroseconds: 10, threads: 1 });
    assert.equal(value(anew, 'cpu'), 0);
    assert.equal(value(reading({}, { cpuMicroseconds: 5, threads: 1 }), 'cpu', 0), 0);
  });

  test("takes the kernel's peak when it is above the sample, otherwise the sample", () => {
    const peaks = (before: Partial<Counters>, now: Partial<Counters>) => {
      const { columns } = measure([reading(before, now)], 0, 2);
      return [columns.memoryPeak[0], columns.anonymousPeak[0], columns.threadsPeak[0]];
    };
    const now = { threads: 2, memoryBytes: 50, cacheBytes: 20 };
    assert.deepEqual(peaks({}, now), [50, 30, 2]);
    assert.deepEqual(peaks({}, { ...now, memoryPeakBytes: 90, threadsPeak: 7 }), [90, 70, 7]);
    assert.deepEqual(peaks({}, { ...now, memoryPeakBytes: 40, threadsPeak: 1 }), [50, 30, 2]);
  });

  test('takes the sample as the peak when the reading has not changed', () => {
    const same = counters({ threads: 2, memoryBytes: 50, memoryPeakBytes: 90, threadsPeak: 7 });
    const { columns } = measure([{ member: 'u1', before: same, now: same }], 0, 2);
    assert.equal(columns.memoryPeak[0], 50);
    assert.equal(columns.threadsPeak[0], 2);
  });

  test('leaves out idle members', () => {
    const same = counters({ memoryBytes: 4096 });
    const idle: Reading = { member: 'u1', before: same, now: same };
    const left: Reading = { member: 'u2', before: same, now: counters({ memoryBytes: 0 }) };
    const asleep: Reading = { member: 'u3', before: undefined, now: counters({ threads: 1 }) };
    assert.deepEqual(measure([idle, left, asleep], 0, 1).members, ['u2', 'u3']);
  });
});

describe('detectFaults()', () => {
  test('reports no fault of a reseller without that limit when its tenants hit theirs', () => {
    const killed: Reading = { ...reading({ oomKills: 2 }, { oomKills: 3 }), member: 'r1000' };
    const seen = (values: LimitValues) => detectFaults(killed, 5, values);
    assert.deepEqual(seen({}), []);
    assert.deepEqual(seen({ 'memory.limit': 'unlimited' }), []);
    assert.equal(seen({ 'memory.limit': 1000 as never }).length, 1);
  });

  const limits: LimitValues = {
    'cpu.limit': 0.5 as never,
    'memory.limit': 1000 as never,
    'io.read': 100 as never,
    'processes.limit': 10 as never,
  };
  const faults = (before: Partial<Counters>, now: Partial<Counters>, values = limits) =>
    detectFaults(reading(before, now), 5, values).map(
      ({ limit, severity, count, inferred }) =>
        `${limit} ${severity} ${count}${inferred ? ' inferred' : ''}`,
    );

  test('gives each limit that was hit, and the number of hits, when its counter grows', () => {
    assert.deepEqual(
      faults(
        { throttledPeriods: 4, forksRefused: 0, oomKills: 2 },
        { throttledPeriods: 7, forksRefused: 1, oomKills: 3 },
      ),
      ['cpu.limit throttled 3', 'memory.limit killed 1', 'processes.limit refused 1'],
    );
  });

  test('gives no fault when counters stay or fall, or are new', () => {
    assert.deepEqual(faults({ oomKills: 3 }, { oomKills: 3 }), []);
    assert.deepEqual(faults({ oomKills: 3 }, { oomKills: 1 }), []);
    assert.deepEqual(detectFaults(reading(undefined, { oomKills: 3 }), 5, limits), []);
  });

  test('gives no memory fault when enough of the memory in use is page cache', () => {
    const hits = { memoryHits: 9, memoryBytes: 1000 };
    assert.deepEqual(faults({}, { ...hits, cacheBytes: 500 }), []);
    assert.deepEqual(faults({}, { ...hits, cacheBytes: 50 }), ['memory.limit throttled 9']);
  });

  test('counts processes above their limit once when they were moved in', () => {
    assert.deepEqual(faults({}, { threads: 15 }), ['processes.limit refused 5']);
    assert.deepEqual(faults({}, { threads: 2, threadsPeak: 15 }), ['processes.limit refused 5']);
    assert.deepEqual(faults({ threads: 15 }, { threads: 15, oomKills: 0 }), []);
    assert.deepEqual(faults({ threads: 15 }, { threads: 17 }), ['processes.limit refused 2']);
    assert.deepEqual(faults({ threads: 15 }, { threads: 11 }), []);
    assert.deepEqual(faults({}, { threads: 10, threadsPeak: 10 }), []);
    assert.deepEqual(faults({}, { threads: 15 }, {}), []);
    assert.deepEqual(faults({}, { threads: 15 }, { 'processes.limit': 'unlimited' }), []);
  });

  test('infers a fault when use is at a limit that the kernel does not count', () => {
    assert.deepEqual(faults({}, { readBytes: 490 }), ['io.read throttled 1 inferred']);
    assert.deepEqual(faults({}, { readBytes: 400 }), []);
    assert.deepEqual(faults({}, { readBytes: 490 }, { 'io.read': 'unlimited' }), []);
    assert.deepEqual(faults({}, { readBytes: 490 }, {}), []);
  });
});
