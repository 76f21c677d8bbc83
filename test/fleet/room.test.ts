/** The room of hosts: measured by each, and compared at the centre. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fail } from '../../packages/base/result.ts';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import {
  compareRooms,
  fitOf,
  roomField,
  type RoomFigures,
  type RoomReport,
} from '../../src/fleet/core/room.ts';
import { weightedQuantile } from '../../src/fleet/core/weighted-quantile.ts';
import { RoomMeter } from '../../src/fleet/io/outbox/room-meter.ts';
import { gibibyte, roomEngine } from './room-engine.ts';

const figures = (has: number, p95: number, more: Partial<RoomFigures> = {}): RoomFigures => ({
  has,
  promised: 2 * has,
  unlimited: 0,
  p95,
  peak: p95,
  ...more,
});
const roomOf = (cpu: number, memory: number, more: Partial<RoomReport> = {}): RoomReport => ({
  measuredSeconds: 604_800,
  cpu: figures(10, cpu),
  memory: figures(100, memory),
  pressure: { cpu: 0.1, memory: 0, io: 0 },
  ...more,
});
const host = (room: RoomReport | null, state = 'healthy') => ({ host: 'web-001', state, room });

suite('the room of a host', () => {
  test('is decided by the tightest resource', () => {
    const fit = fitOf(host(roomOf(3, 45)));
    assert.deepEqual([fit.tightest, fit.after, fit.fits], ['memory', 0.45, true]);
    assert.equal(fit.room?.toFixed(2), '0.45');
    assert.deepEqual([fit.cpu.p95, fit.cpu.promised, fit.memory.p95], [0.3, 2, 0.45]);
    assert.equal(fitOf(host(roomOf(8, 45))).tightest, 'cpu');
    const full = fitOf(host(roomOf(3, 95)));
    assert.deepEqual([full.fits, full.why, full.room], [false, 'memory', 0]);
  });

  test('counts what a new tenant uses, or the same part of its limit as others use of theirs', () => {
    const used = { cpu: { promised: 4, p95: 1 }, memory: { promised: 20, p95: 5 } };
    assert.deepEqual(fitOf(host(roomOf(3, 30)), used).cpu.after, 0.4);
    assert.deepEqual(fitOf(host(roomOf(3, 30)), used).memory.after, 0.35);
    const promised = { cpu: { promised: 4, p95: null }, memory: { promised: 20, p95: null } };
    assert.deepEqual(fitOf(host(roomOf(5, 30)), promised).cpu.after, 0.6);
    // Without a sum of limits to compare with, all of the limit counts.
    const first = roomOf(5, 30, { cpu: figures(10, 5, { unlimited: 1 }) });
    assert.deepEqual(fitOf(host(first), promised).cpu.after, 0.9);
    const unlimited = { ...promised, memory: { promised: null, p95: null } };
    assert.equal(fitOf(host(roomOf(5, 30)), unlimited).why, 'what the tenant would use is unknown');
  });

  test('is unknown if a part of it is, and such hosts drop out with the reason', () => {
    for (const [room, why] of [
      [null, 'its room is unknown'],
      [roomOf(3, 30, { cpu: figures(10, 3, { p95: null }) }), 'what its tenants use is unknown'],
      [roomOf(3, 30, { memory: figures(0, 3, { has: null }) }), 'what its tenants use is unknown'],
    ] as const) {
      const { fits, after, room: left, ...fit } = fitOf(host(room));
      assert.deepEqual([fits, after, left, fit.why], [null, null, null, why]);
    }
    const short = fitOf(host(roomOf(3, 30, { measuredSeconds: 3600 })));
    assert.deepEqual([short.fits, short.why], [null, 'less than a day was measured']);
    for (const pressure of [
      { cpu: null, memory: null, io: null },
      { cpu: 0, memory: null, io: 0 },
    ]) {
      const { fits, why } = fitOf(host(roomOf(3, 30, { pressure })));
      assert.deepEqual([fits, why], [null, 'its pressure is unknown']);
      // What is certain counts, whatever else is unknown.
      const full = fitOf(host(roomOf(3, 95, { pressure })));
      assert.deepEqual([full.fits, full.why], [false, 'memory']);
    }
    const half = fitOf(
      host(roomOf(9.5, 30, { memory: figures(100, 3, { p95: null }), measuredSeconds: 60 })),
    );
    assert.deepEqual([half.fits, half.why], [false, 'cpu']);
    const pressed = roomOf(3, 30, { pressure: { cpu: 0.1, memory: 0.25, io: 0.9 } });
    assert.match(fitOf(host(pressed)).why ?? '', /^under pressure: 25% of the time, .* memory$/);
    for (const state of ['held', 'frozen', 'watching', 'none', 'of a later version']) {
      const { fits, why } = fitOf(host(roomOf(3, 30), state));
      assert.deepEqual([fits, why], [false, state]);
    }
    for (const state of ['silent', 'unknown']) {
      const { fits, why } = fitOf(host(roomOf(3, 30), state));
      assert.deepEqual([fits, why], [null, state]);
    }
    for (const state of ['healthy', 'confirmed', 'refused', 'new'])
      assert.ok(fitOf(host(roomOf(3, 30), state)).fits, state);
  });

  test('hosts with the most room come first', () => {
    const all = [
      ['c', roomOf(3, 95)],
      ['b', null],
      ['a', roomOf(3, 60)],
      ['d', roomOf(3, 40)],
      ['e', null],
    ] as const;
    const fits = all.map(([name, room]) => fitOf({ host: name, state: 'healthy', room }));
    assert.equal(
      fits
        .sort(compareRooms)
        .map((each) => each.host)
        .join(''),
      'dabec',
    );
  });
});

suite('the room that a host tells', () => {
  test('is read within bounds, and a figure that no host can have makes it none', () => {
    const isRead = (room: RoomReport) => roomField.read(room) !== undefined;
    assert.ok(isRead(roomOf(3, 30)));
    assert.ok(isRead(roomOf(3, 30, { cpu: figures(8192, 8192, { promised: 1e9 }) })));
    for (const more of [
      { cpu: figures(8193, 3) },
      { cpu: figures(8, 1e9) },
      { memory: figures(2 ** 51, 3) },
      { memory: figures(64, 3, { peak: 2 ** 51 }) },
      { memory: figures(64, 3, { unlimited: 1e7 }) },
      { measuredSeconds: 8 * 86_400 },
      { pressure: { cpu: 1.01, memory: 0, io: 0 } },
    ])
      assert.ok(!isRead(roomOf(3, 30, more)), JSON.stringify(more));
  });
});

suite('a host that measures its room', () => {
  test('tells the p95 of a week over time, and what it has promised', async () => {
    const meter = new RoomMeter();
    const engine = roomEngine();
    const before = meter.report(engine);
    assert.deepEqual([before.measuredSeconds, before.cpu.p95, before.cpu.has], [null, null, 4]);
    await meter.measure(engine);
    const { measuredSeconds, cpu, memory, pressure } = meter.report(engine);
    assert.equal(measuredSeconds, 101_000);
    assert.deepEqual(cpu, { has: 4, promised: 8, unlimited: 0, p95: 1, peak: 3.75 });
    assert.deepEqual([memory.p95, memory.peak, memory.unlimited], [gibibyte, 4 * gibibyte, 1]);
    assert.equal(pressure.io, null);
  });

  test('tells the pressure before its agent started by the average of the kernel, unless that is new', () => {
    const pressureAfter = (seconds: number) =>
      new RoomMeter(() => seconds).report(roomEngine()).pressure;
    assert.deepEqual(pressureAfter(900), { cpu: 0.125, memory: 0, io: null });
    assert.deepEqual(pressureAfter(899), { cpu: null, memory: null, io: null });
  });

  test('tells no sum of limits that no number can state', () => {
    const promised = () => ({
      cpu: { sum: 8, unlimited: 0 },
      memory: { sum: 2 ** 60, unlimited: 0 },
    });
    const { cpu, memory } = new RoomMeter().report({ ...roomEngine(), promised });
    assert.deepEqual([cpu.promised, memory.promised], [8, null]);
  });

  test('knows nothing while the history cannot be read, or has measured nothing', async () => {
    const history = () =>
      ({
        columns: () => Promise.resolve(fail({ action: 'read', reason: 'busy' })),
      }) as unknown as ReturnType<FleetEngine['history']>;
    for (const engine of [{ ...roomEngine(), history }, roomEngine([null, null], [0, 0])]) {
      const meter = new RoomMeter();
      await meter.measure(engine);
      const { cpu, memory } = meter.report(engine);
      assert.deepEqual([cpu.p95, cpu.peak, memory.p95, memory.peak], [null, null, null, null]);
    }
  });

  test('weighs each part by how long it was measured', () => {
    assert.equal(weightedQuantile([1, 2, null, 3], [90, 5, 1000, 5], 0.95), 2);
    assert.equal(weightedQuantile([5, 1], [1, 1], 0.5), 1);
    assert.equal(weightedQuantile([null, 3], [10, 0], 0.95), undefined);
  });
});
