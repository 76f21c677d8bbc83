/** Which record counts, if servers, the centre's own directory and people have different ones. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  isNewWord,
  isSameWord,
  joined,
  joinedInOrder,
} from '../../../src/fleet/core/rollout/agree.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import { hours, recordOf } from './records.ts';

const release = (generation: number, trust = 1, root = 'a') => ({
  trust,
  generation,
  root: root.repeat(64),
});
const record = (
  sequence: number,
  verdict: RolloutRecord['verdict'],
  wave: number,
  more: Partial<RolloutRecord> = {},
) => recordOf({ sequence, verdict, wave, release: release(7), ...more });
const shown = (each: RolloutRecord | undefined) =>
  each && `${each.release.generation} ${each.verdict} ${each.wave}`;

suite('which record counts', () => {
  test('no wave is closed again, and what was taken back stays so', () => {
    const cases: readonly (readonly [RolloutRecord, RolloutRecord, string])[] = [
      // The older one, the newer one.
      [record(1, 'go', 1), record(2, 'go', 2), '7 go 2'],
      [record(1, 'go', 3), record(2, 'go', 1), '7 go 3'],
      [record(1, 'go', 3), record(2, 'hold', 1), '7 hold 3'],
      [record(1, 'hold', 2), record(2, 'go', 1, { opened: hours(1) }), '7 go 2'],
      // The wave was not opened anew: a record of before the pause.
      [record(1, 'hold', 2), record(2, 'go', 2), '7 hold 2'],
      [record(1, 'back', 1), record(2, 'go', 3), '7 back 3'],
      [record(1, 'back', 2), record(2, 'keep', 3), '7 back 3'],
      [record(1, 'back', 2), record(2, 'hold', 2), '7 back 2'],
      [record(1, 'keep', 3), record(2, 'go', 2), '7 keep 3'],
      [record(1, 'keep', 3), record(2, 'hold', 3), '7 hold 3'],
      [record(1, 'go', 1), record(2, 'back', 1), '7 back 1'],
      [record(1, 'keep', 3), record(2, 'back', 1), '7 back 3'],
    ];
    for (const [older, newer, expected] of cases) {
      assert.equal(shown(joinedInOrder(older, newer)), expected);
      assert.equal(shown(joinedInOrder(newer, older)), expected);
    }
  });

  test('the newest release counts, whatever the number of its record is', () => {
    const old = record(9, 'go', 3, { release: release(7) });
    const back = record(2, 'back', 1, { release: release(8) });
    assert.equal(joinedInOrder(old, back), back);
    const later = record(1, 'go', 1, { release: release(1, 2) });
    assert.equal(joinedInOrder(old, later), later);
    // Another release of the same number is another one: the newer record counts.
    const twin = record(10, 'go', 1, { release: release(7, 1, 'b') });
    assert.equal(joinedInOrder(record(9, 'back', 1), twin), twin);
    assert.equal(joinedInOrder(undefined, old), old);
    assert.equal(joinedInOrder(old, undefined), old);
    assert.equal(joinedInOrder(undefined, undefined), undefined);
  });

  test('records of a later trust are newer', () => {
    const stolen = record(Number.MAX_SAFE_INTEGER, 'go', 3);
    const next = record(1, 'hold', 1, { trust: 2 });
    assert.equal(shown(joinedInOrder(stolen, next)), '7 hold 3');
  });

  test('hosts have their time since the later opening', () => {
    const resumed = record(3, 'go', 1, { opened: hours(5) });
    const { opened, wave } = joined(resumed, record(9, 'hold', 2, { opened: hours(1) }));
    assert.deepEqual([opened, wave], [hours(5), 2]);
  });

  test('a word of people is new once, and one that only says the same again is none', () => {
    const start = record(10, 'go', 1);
    const pause = record(20, 'hold', 1);
    assert.equal(isNewWord(start, undefined, undefined), true);
    assert.equal(isNewWord(start, undefined, pause), false);
    assert.equal(isNewWord(start, start, pause), false);
    assert.equal(isNewWord(start, pause, pause), false);
    assert.equal(isNewWord(pause, start, record(30, 'go', 3)), true);
    const renewed = record(40, 'go', 1, { issued: hours(3) });
    assert.equal(isNewWord(renewed, start, pause), false);
    const resumed = record(40, 'go', 1, { opened: hours(3), issued: hours(3) });
    assert.equal(isNewWord(resumed, start, pause), true);
    assert.equal(isSameWord(start, renewed), true);
    assert.equal(isSameWord(start, undefined), false);
  });
});
