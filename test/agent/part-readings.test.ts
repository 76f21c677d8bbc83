/** The figures that parts of the agent add to a tick: unknown is absent, and never zero. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Quantity } from '../../packages/base/quantity.ts';
import type { DatabaseUse, NetworkUse } from '../../src/agent/part.ts';
import { databaseFigures, networkFigures } from '../../src/agent/sampling/part-figures.ts';
import { PartReadings } from '../../src/agent/sampling/part-readings.ts';
import { LatestSample } from '../../src/agent/sampling/latest-sample.ts';
import { NearLimits } from '../../src/agent/sampling/near-limits.ts';
import { UseTotals } from '../../src/database/core/use/use-totals.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { measure, type Reading } from '../../src/usage/measure.ts';
import type { Member } from '../../src/usage/member.ts';
import { databaseKeys } from '../../src/usage/part-keys.ts';
import { observedFaults } from '../../src/usage/detect.ts';

const members: readonly Member[] = ['u1', 'u1/shop.example', 'u2', 'u3', 'r9'];
const entries = new Map<Member, { readonly resellerUid: number | undefined }>([
  ['u1', { resellerUid: 9 }],
  ['u2', { resellerUid: 9 }],
  ['u3', { resellerUid: undefined }],
]);
const kernel = members.map((member): Reading => ({ member, before: noCounters, now: noCounters }));

const useOf = (atSeconds: number, cpuSeconds: number, connections = 2): DatabaseUse => ({
  atSeconds,
  cpuSeconds,
  connections,
  pausedSeconds: cpuSeconds / 2,
});

type Uses = Readonly<Record<number, DatabaseUse>>;

class Readings {
  readonly #readings = new PartReadings(databaseFigures);

  of(uses: Uses, now = Math.max(...Object.values(uses).map(({ atSeconds }) => atSeconds))) {
    const found = this.#readings.with(kernel, entries, (uid) => uses[uid], now);
    return new Map(found.map(({ member, figures }) => [member, figures]));
  }
}

describe('PartReadings', () => {
  test('gives shares of a core and of the time, by the time between looks', () => {
    const readings = new Readings();
    const first = readings.of({ 1: useOf(100, 5), 2: useOf(100, 1), 3: useOf(100, 0) });
    assert.deepEqual(first.get('u1'), { databaseConnections: 2 });
    const second = readings.of({ 1: useOf(104, 6), 2: useOf(104, 1), 3: useOf(104, 0, 0) });
    const of1 = { databaseCpu: 0.25, databaseConnections: 2, databasePaused: 0.125 };
    assert.deepEqual(second.get('u1'), of1);
    assert.deepEqual(second.get('u3'), {
      databaseCpu: 0,
      databaseConnections: 0,
      databasePaused: 0,
    });
    assert.deepEqual(second.get('r9'), { ...of1, databaseConnections: 4 });
    assert.equal(second.get('u1/shop.example'), undefined);
    // No server was asked since.
    assert.deepEqual(readings.of({ 1: useOf(104, 6) }).get('u1'), of1);
  });

  test('a tenant that comes to a reseller brings no use of before', () => {
    const readings = new Readings();
    readings.of({ 2: useOf(100, 1) });
    const sum = readings.of({ 1: useOf(105, 5_000), 2: useOf(105, 1.5) }).get('r9');
    assert.equal(sum?.databaseCpu, 0.1);
  });

  test('time in which nothing was known is in no figure', () => {
    const readings = new Readings();
    readings.of({ 1: useOf(100, 5) });
    assert.equal(readings.of({}).get('u1'), undefined);
    assert.deepEqual(readings.of({ 1: useOf(200, 95) }).get('u1'), { databaseConnections: 2 });
    assert.equal(readings.of({ 1: useOf(201, 95.5) }).get('u1')?.databaseCpu, 0.5);
  });

  test('figures that are old say nothing about now', () => {
    const readings = new Readings();
    readings.of({ 1: useOf(100, 5) });
    assert.equal(readings.of({ 1: useOf(101, 5.5) }, 105).get('u1')?.databaseCpu, 0.5);
    assert.equal(readings.of({ 1: useOf(101, 5.5) }, 112).get('u1'), undefined);
  });

  test('a number of connections that nobody can count is unknown', () => {
    const readings = new Readings();
    const some = (atSeconds: number) => ({ atSeconds, cpuSeconds: atSeconds, pausedSeconds: 0 });
    readings.of({ 1: some(1) });
    const found = readings.of({ 1: some(2) }).get('u1');
    assert.deepEqual(found, { databaseCpu: 1, databasePaused: 0 });
  });

  test('a server that counts no CPU time shows connections', () => {
    const readings = new Readings();
    const uncounted = (atSeconds: number) => ({ atSeconds, connections: 3, pausedSeconds: 0 });
    readings.of({ 1: uncounted(1) });
    const found = readings.of({ 1: uncounted(2) }).get('u1');
    assert.deepEqual(found, { databaseConnections: 3, databasePaused: 0 });
  });
});

describe('networkFigures()', () => {
  const sums = (atSeconds: number, each: number): NetworkUse => ({
    atSeconds,
    sentBytes: each * 1000,
    receivedBytes: each * 2000,
    sentPackets: each * 2,
    receivedPackets: each * 3,
    connectionsOut: each,
    connectionsIn: 0,
    localBytes: each * 10,
    heldPackets: each,
    lostPackets: 0,
  });

  test('gives rates, and sums of databases beside them', () => {
    const network = new PartReadings(networkFigures);
    const at = (atSeconds: number, each: number) => {
      const before = kernel.map((reading) => ({ ...reading, figures: { databaseConnections: 1 } }));
      const found = network.with(before, entries, () => sums(atSeconds, each), atSeconds);
      return new Map(found.map(({ member, figures }) => [member, figures]));
    };
    assert.deepEqual(at(10, 5).get('u1'), { databaseConnections: 1 });
    const second = at(12, 9);
    assert.deepEqual(second.get('u1'), {
      databaseConnections: 1,
      sent: 2000,
      received: 4000,
      packetsSent: 4,
      packetsReceived: 6,
      connectionsOut: 2,
      connectionsIn: 0,
      localSent: 20,
      held: 2,
      lost: 0,
    });
    assert.equal(second.get('r9')?.sent, 4000);
    assert.equal(second.get('u1/shop.example')?.sent, undefined);
  });

  test('a tick in which counters began anew is unknown', () => {
    assert.deepEqual(networkFigures(sums(12, 1), sums(10, 5), 2), {});
    assert.deepEqual(networkFigures(sums(12, 1), undefined, 0), {});
  });
});

describe('UseTotals', () => {
  const looked = (used: number, isCounted = true) => ({
    used: new Map([[1, used]]),
    connections: new Map([[1, 2]]),
    isCounted,
  });

  test('is unknown until all servers have answered, and again when one does not', () => {
    const totals = new UseTotals();
    assert.equal(totals.of(1), undefined);
    totals.add(looked(5e5), 10);
    const known = { atSeconds: 10, cpuSeconds: 0.5, connections: 2, pausedSeconds: 0 };
    assert.deepEqual(totals.of(1), known);
    totals.add(looked(5e5), undefined);
    assert.equal(totals.of(1), undefined);
    totals.add(looked(0), 12);
    assert.deepEqual(totals.of(1), { ...known, atSeconds: 12, cpuSeconds: 1 });
    assert.deepEqual(totals.of(7), { ...known, atSeconds: 12, cpuSeconds: 0, connections: 0 });
    totals.lose();
    assert.equal(totals.of(1), undefined);
  });

  test('has no CPU time where a server does not count it', () => {
    const totals = new UseTotals();
    totals.add(looked(0, false), 10);
    assert.deepEqual(totals.of(1), { atSeconds: 10, connections: 2, pausedSeconds: 0 });
  });
});

describe('a tick', () => {
  const figures = { databaseCpu: 0.5, databaseConnections: 4, databasePaused: 0.1 };
  const moment = { at: 1_000, monotonic: 1_000 };

  test('has members that only a server worked for, and says what is unknown', () => {
    const readings = kernel.map((each) => (each.member === 'u1' ? { ...each, figures } : each));
    const tick = measure(readings, 1_000, 5);
    assert.deepEqual(tick.members, ['u1']);
    assert.equal(tick.columns.databaseCpu[0], 0.5);
    assert.deepEqual(tick.known, databaseKeys);
    assert.deepEqual(measure(kernel, 1_000, 5).known, []);
    const latest = new LatestSample();
    latest.update(tick, readings, [], moment);
    assert.equal(latest.usage('u1').databaseConnections, 4);
    assert.ok(!('databaseCpu' in latest.usage('u2')));
    assert.equal(latest.usage('u2').cpu, 0);
  });

  test('a limit on what is unknown is neither near nor hit', () => {
    const now = { ...noCounters, threads: 1 };
    const reading: Reading = { member: 'u1', before: noCounters, now };
    const near = (tick: ReturnType<typeof measure>) => {
      const limits = new NearLimits();
      limits.add(tick, new Map([['u1', { limits: { 'database.cpu': 0.5 } }]]), 0);
      return limits.of('u1');
    };
    const values = { 'database.cpu': 0.4 as Quantity };
    assert.deepEqual(near(measure([reading], 1_000, 5)), []);
    assert.deepEqual(observedFaults(reading, 5, values), []);
  });
});
