/** Masters without work, which are stopped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleWatch, workText } from '../../../src/web/core/fpm/service/idle.ts';

test('IdleWatch stops a master only when its workers have done nothing for long enough', () => {
  const master = { startTime: 7, children: 100 };
  const worker = { pid: 5, startTime: 8, waits: 3, isWaiting: true };
  const idle = workText(master, [worker]);
  assert.ok(idle !== undefined);
  assert.equal(workText(master, [worker, { ...worker, pid: 6, isWaiting: false }]), undefined);
  for (const other of [
    workText(master, [{ ...worker, waits: 4 }]),
    workText(master, []),
    workText({ ...master, children: 101 }, [worker]),
    workText({ ...master, startTime: 8 }, [worker]),
  ])
    assert.notEqual(other, idle);
  const watch = new IdleWatch(100);
  const at = (ms: number, work?: string) =>
    watch.toStop([{ unit: 'a', ...(work !== undefined && { work }) }], ms);
  assert.deepEqual(at(0, 'x'), []);
  assert.deepEqual(at(99, 'x'), []);
  assert.deepEqual(at(150, 'y'), []);
  assert.deepEqual(at(200), []);
  assert.deepEqual(at(300, 'y'), []);
  assert.deepEqual(at(400, 'y'), ['a']);
  assert.deepEqual(watch.toStop([], 600), []);
  assert.deepEqual(at(700, 'y'), []);
});
