/** Looks at a server come at no moment that a tenant could choose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jittered } from '../../src/database/core/pace/jitter.ts';

/** Returns numbers from 0 to 1, the same in each run. */
function seeded(): () => number {
  let state = 12_345;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

/** Returns the parts of statements of `length` at this phase of each second that looks see, and of their time. */
function seenOf(phase: number, length: number, pause: (random: () => number) => number) {
  const random = seeded();
  const looks = 20_000;
  let [at, seen, time] = [0, new Set<number>(), new Map<number, number>()];
  for (let each = 0; each < looks; each++) {
    at += pause(random);
    const second = Math.floor(at - phase);
    const since = at - phase - second;
    if (since >= length) continue;
    seen.add(second);
    time.set(second, since);
  }
  const used = [...time.values()].reduce((sum, each) => sum + each, 0);
  return { statements: seen.size / at, time: used / (at * length) };
}

test('a statement of 0.2 s in each second is seen, whenever it begins', () => {
  for (const phase of [0.01, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.99]) {
    const fixed = seenOf(phase, 0.2, () => 1);
    assert.equal(fixed.statements * (1 - fixed.statements) < 0.01, true, 'all or nothing');
    const { statements, time } = seenOf(phase, 0.2, (random) => jittered(1, random));
    assert.ok(Math.abs(statements - 0.2) < 0.02, `${phase}: ${statements} of them`);
    assert.ok(Math.abs(time - 0.1) < 0.02, `${phase}: ${time} of their time`);
    const soon = seenOf(phase, 0.2, (random) => jittered(0.1, random));
    assert.ok(soon.statements > 0.99 && soon.time > 0.7, `${phase}: ${soon.time} of their time`);
  }
});

test('pauses stay near the planned one', () => {
  const random = seeded();
  const pauses = Array.from({ length: 10_000 }, () => jittered(1000, random));
  assert.ok(pauses.every((each) => each >= 700 && each <= 1300));
  const mean = pauses.reduce((sum, each) => sum + each, 0) / pauses.length;
  assert.ok(Math.abs(mean - 1000) < 10, `${mean}`);
});
