/** Recorded use against other limits, where the answers can be computed by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addParts, committedOf, replayLimit } from '../../src/usage/simulate.ts';

const hour = 3600;
const parts = (averages: readonly (number | null)[], maxima: readonly (number | null)[]) => ({
  averages: averages.map((each) => each ?? NaN),
  maxima: maxima.map((each) => each ?? NaN),
  seconds: averages.map((each) => (each === null ? 0 : hour)),
});

test('replayLimit() returns what averages and maxima leave possible', () => {
  // Half of the first hour is certain: (75 - 50) / (100 - 50). At most all of it, since 75 is above 50.
  // Of the second, no moment is certain, and at most half: 25 / 50. The third never came above.
  const recorded = parts([0.75, 0.25, 0.5], [1, 1, 0.5]);
  assert.deepEqual(replayLimit(recorded, 0.5), {
    secondsMin: hour / 2,
    secondsMax: hour * 1.5,
    stretches: 1,
    measuredSeconds: 3 * hour,
  });
  assert.deepEqual(replayLimit(recorded, 1).secondsMax, 0);
});

test('replayLimit() knows nothing of time that was not measured', () => {
  const gap = parts([1, null, 1, 1, 0, 1], [1, null, 1, 1, 0, 1]);
  assert.deepEqual(replayLimit(gap, 0.5), {
    secondsMin: 4 * hour,
    secondsMax: 4 * hour,
    // Before the gap, after it, and after the idle hour.
    stretches: 3,
    measuredSeconds: 5 * hour,
  });
  // Ten minutes were measured: no more than these are counted.
  const short = { averages: [1], maxima: [1], seconds: [600] };
  assert.deepEqual(replayLimit(short, 0.5).secondsMin, 600);
});

test('replayLimit() without a maximum is sure of no time, only that it was above at all', () => {
  assert.deepEqual(replayLimit(parts([0.75, 0.25], [null, null]), 0.5), {
    secondsMin: 0,
    secondsMax: 1.5 * hour,
    stretches: 1,
    measuredSeconds: 2 * hour,
  });
});

test('replayLimit() takes rounding of the history for no excess', () => {
  const exact = parts([1.0009], [1.0009]);
  assert.equal(replayLimit(exact, 1).secondsMax, 0);
  // 101 processes are more than 100.
  assert.equal(replayLimit(parts([101], [101]), 100).secondsMin, hour);
});

test('replayLimit() always has the truth between its bounds', () => {
  const course = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(course, fc.integer({ min: 1, max: 210 }), (values, limit) => {
      const average = values.reduce((sum, each) => sum + each, 0) / values.length;
      const recorded = { averages: [average], maxima: [Math.max(...values)], seconds: [60] };
      const above = (values.filter((each) => each > limit * 1.001).length / values.length) * 60;
      const { secondsMin, secondsMax } = replayLimit(recorded, limit);
      assert.ok(secondsMin <= above + 1e-6 && above <= secondsMax + 1e-6);
    }),
  );
});

test('addParts() leaves the truth about the sum between the bounds', () => {
  const course = fc.array(fc.tuple(fc.nat(100), fc.nat(100)), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(course, fc.integer({ min: 1, max: 210 }), (values, limit) => {
      const partsOf = (of: readonly number[]) => ({
        averages: [of.reduce((sum, each) => sum + each, 0) / of.length],
        maxima: [Math.max(...of)],
        seconds: [60],
      });
      const sums = values.map(([one, other]) => one + other);
      const above = (sums.filter((each) => each > limit * 1.001).length / values.length) * 60;
      const [one, other] = [0, 1].map((at) => partsOf(values.map((each) => each[at] ?? 0)));
      assert.ok(one && other);
      const { secondsMin, secondsMax, stretches } = replayLimit(addParts(one, other), limit);
      assert.ok(secondsMin <= above + 1e-6 && above <= secondsMax + 1e-6);
      assert.ok(stretches === 0 || Math.max(...sums) > limit);
    }),
  );
  const unknown = addParts(parts([1, 1], [1, 1]), parts([1, null], [1, null]));
  assert.equal(replayLimit(unknown, 0.5).measuredSeconds, hour);
});

test('committedOf() counts tenants without the limit apart', () => {
  assert.deepEqual(committedOf([1, 2, undefined, 3], 4), {
    committed: 6,
    unlimitedTenants: 1,
    overcommit: 1.5,
  });
});
