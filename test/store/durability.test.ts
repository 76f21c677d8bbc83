/** The stores keep what they wrote when the writer is killed or the disk is full. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import type { Problem } from '../../packages/base/problem.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import {
  done,
  hour,
  Place,
  rollUpAll,
  settings,
  start,
  value,
  query,
  numberIn,
  busyTick,
} from './samples.ts';
import { mountProblem, SmallDisk } from './small-disk.ts';

describe('stores after SIGKILL', () => {
  test('add() keeps everything it reported when the process is killed', async () => {
    using place = new Place();
    const files = ['metrics.db', 'events.db'].map((name) => `${place.directory}/${name}`);
    const [metrics = '', events = ''] = files;
    let ticks = 0;
    let incidents = 0;
    for (let round = 0; round < 10; round++) {
      const said = await killAfter(place.directory, ticks, 40 + round * 17);
      for (const file of files) {
        assert.equal(query(file, 'PRAGMA integrity_check')[0]?.['integrity_check'], 'ok');
      }
      ticks = numberIn(metrics, 'SELECT max(id) FROM ticks');
      assert.ok(ticks >= said.tick && ticks <= said.tick + 1, `${ticks} of ${said.tick}`);
      assert.equal(numberIn(metrics, 'SELECT count(*) FROM ticks'), ticks);
      incidents = numberIn(events, 'SELECT count(*) FROM incidents');
      assert.ok(incidents >= said.incident, `${incidents} of ${said.incident}`);
      assert.equal(numberIn(events, 'SELECT coalesce(sum(count), 0) FROM faults'), incidents);
    }
    assert.ok(ticks > 300);
    {
      using store = new MetricsStore(place.directory);
      rollUpAll(store, start + (ticks + 120) * 60_000);
      assert.deepEqual(store.takeNotes(), []);
    }
    const runs = query(metrics, 'SELECT first, last FROM hours ORDER BY id');
    const firsts = runs.map((run) => run['first']);
    assert.deepEqual(firsts, [1, ...runs.slice(0, -1).map((run) => Number(run['last']) + 1)]);
    assert.equal(numberIn(metrics, 'SELECT sum(ticks) FROM hours'), ticks);
  });
});

async function killAfter(directory: string, from: number, lines: number) {
  const writer = new URL('writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [writer, directory, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const said = { tick: from, incident: 0 };
  let count = 0;
  for await (const line of createInterface(child.stdout)) {
    const [kind, number] = line.split(' ');
    if (kind === 'tick') said.tick = Number(number);
    if (kind === 'incident') said.incident = Number(number);
    if (++count === lines) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  return said;
}

describe('stores on a full disk', { skip: mountProblem() }, () => {
  test('add() reports a full disk, and writes again when there is space', () => {
    using place = new Place();
    using disk = new SmallDisk(place.parent);
    using store = new MetricsStore(`${disk.path}/history`);
    using events = new EventStore(`${disk.path}/history`);
    assert.deepEqual(store.add(busyTick(1)), done);
    assert.deepEqual(events.recordAlert('before', 1), done);
    disk.fill();
    const problems: Problem[] = [];
    let number = 2;
    for (; number < 2_000 && problems.length < 20; number++) {
      const added = store.add(busyTick(number));
      if (!added.ok) problems.push(added.error);
      store.rollUp(start + number * 5_000);
      store.prune(start + number * 5_000, settings);
    }
    assert.equal(problems.length, 20);
    assert.deepEqual(problems[0], {
      action: 'write the history',
      object: `${disk.path}/history/metrics.db`,
      reason: 'no space is left on its file system',
    });
    let recorded = events.recordAlert('key', 0);
    for (let key = 0; key < 2_000 && recorded.ok; key++) {
      recorded = events.recordAlert(`key ${key} ${'x'.repeat(2_000)}`, key);
    }
    assert.match(recorded.ok ? '' : recorded.error.reason, /no space is left/);
    disk.free();
    assert.deepEqual(store.add(busyTick(number)), done);
    assert.deepEqual(events.recordAlert('after', 2), done);
    assert.equal(events.lastAlert('before'), 1);
    assert.equal(events.lastAlert('after'), 2);
    assert.deepEqual([...store.takeNotes(), ...events.takeNotes()], []);
    using reader = new HistoryReader(`${disk.path}/history`);
    const usage = reader.usage({ from: start, to: start + hour * 3, metrics: ['cpu'] });
    assert.equal(value(usage).rows.size, 500);
  });

  test('transaction() writes nothing when the disk fills up during it', () => {
    using place = new Place();
    using disk = new SmallDisk(place.parent);
    using events = new EventStore(`${disk.path}/history`);
    assert.deepEqual(events.recordAlert('before', 1), done);
    disk.fill();
    const written = events.transaction(() => {
      for (let key = 0; key < 4_000; key++) {
        events.recordAlert(`${key} ${'y'.repeat(4_000)}`, key);
        // Records that would fit again after the failure must not be written either.
        events.recordAlert(`${key}`, key);
      }
    });
    assert.equal(written.ok, false);
    assert.equal(numberIn(`${disk.path}/history/events.db`, 'SELECT count(*) FROM alerts'), 1);
    assert.equal(events.lastAlert(`0 ${'y'.repeat(4_000)}`), undefined);
    disk.free();
    assert.equal(events.transaction(() => events.recordAlert('after', 2)).ok, true);
    assert.equal(events.lastAlert('after'), 2);
  });
});
