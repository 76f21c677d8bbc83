import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  floorOf,
  floorPart,
  isShared,
  keepsTotal,
  repaidPart,
  restingCaps,
  sum,
  type Share,
} from '../../src/limits/share.ts';
import { isWorthWriting, shiftCaps } from '../../src/limits/shift.ts';

const lone: Share = { total: 10_000_000, max: [Infinity, Infinity] };

/** Lanes that take what they want of their caps, tick after tick, as the agent drives them. */
class Stage {
  caps: readonly number[];
  passed = 0;
  seconds = 0;
  longest = 0;
  writes = 0;
  #debt = 0;
  readonly #share: Share;
  readonly #interval: number;

  constructor(share: Share, interval: number) {
    this.#share = share;
    this.#interval = interval;
    this.caps = restingCaps(share);
  }

  /** `demand`: the part of its cap that each lane takes. */
  tick(demand: readonly number[], seconds = this.#interval): void {
    const lanes = this.caps.map((cap, lane) => ({
      cap,
      used: cap * seconds * (demand[lane] ?? 0),
      grain: 0,
    }));
    this.passed += sum(lanes.map(({ used }) => used));
    this.seconds += seconds;
    this.longest = Math.max(this.longest, seconds);
    const shifted = shiftCaps(
      this.#share,
      lanes,
      { seconds, interval: this.#interval },
      this.#debt,
    );
    this.#debt = shifted.debt;
    if (!isWorthWriting(this.#share, this.caps, shifted.caps)) return;
    this.caps = shifted.caps;
    this.writes++;
  }
}

const shares = fc
  .record({
    total: fc.integer({ min: 1_000, max: 2 ** 40 }),
    disks: fc.integer({ min: 1, max: 5 }),
    bound: fc.tuple(fc.double({ min: 0.3, max: 3 }), fc.double({ min: 0.3, max: 3 })),
    bounded: fc.boolean(),
  })
  .map(({ total, disks, bound, bounded }): Share => {
    const max = bounded ? bound.map((part) => Math.round(part * total)) : [Infinity, Infinity];
    return { total, max: Array.from({ length: disks }, () => max).flat() };
  })
  .filter(isShared);
const part = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
const demands = fc.array(
  fc.record({
    demand: fc.array(part, { minLength: 10, maxLength: 10 }),
    late: fc.double({ min: 0.5, max: 2, noNaN: true }),
  }),
  { minLength: 1, maxLength: 60 },
);

suite('shiftCaps()', () => {
  test('lets at most the total and half a tick pass, whatever the demand', () => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 60 }), demands, (share, interval, ticks) => {
        const stage = new Stage(share, interval);
        for (const { demand, late } of ticks) {
          stage.tick(demand, interval * late);
          const bound = share.total * (stage.seconds + stage.longest / 2) + share.max.length;
          assert.ok(stage.passed <= bound, `${stage.passed} of ${bound}`);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('keeps all caps within the total plus an eighth, and closes no lane', () => {
    fc.assert(
      fc.property(shares, demands, (share, ticks) => {
        const stage = new Stage(share, 5);
        for (const { demand } of ticks) {
          stage.tick(demand);
          assert.ok(sum(stage.caps) <= share.total * (1 + floorPart) + share.max.length);
          for (const [lane, cap] of stage.caps.entries()) {
            assert.ok(cap >= floorOf(share, lane) && cap <= (share.max[lane] ?? 0));
          }
          assert.ok(keepsTotal(share, stage.caps), stage.caps.join(' '));
        }
      }),
    );
  });

  test('gives a lane that is busy alone the whole total after two ticks', () => {
    fc.assert(
      fc.property(demands, fc.integer({ min: 0, max: 1 }), (ticks, lane) => {
        const stage = new Stage(lone, 5);
        for (const { demand } of ticks) stage.tick(demand);
        const alone = [lane === 0 ? 1 : 0, lane === 1 ? 1 : 0];
        for (let tick = 0; tick < 4; tick++) stage.tick(alone);
        assert.ok(
          (stage.caps[lane] ?? 0) >= lone.total * (1 - floorPart / 2),
          stage.caps.join(' '),
        );
      }),
    );
  });

  test('gives two busy lanes half each, and then changes nothing', () => {
    const stage = new Stage(lone, 5);
    stage.tick([1, 0]);
    for (let tick = 0; tick < 4; tick++) stage.tick([1, 1]);
    const { writes } = stage;
    for (let tick = 0; tick < 20; tick++) stage.tick([1, 1]);
    assert.deepEqual(stage.caps, [5_000_000, 5_000_000]);
    assert.equal(stage.writes, writes);
  });

  test('gives idle lanes equal caps, and a lane with little use what it uses', () => {
    const stage = new Stage(lone, 5);
    stage.tick([1, 0]);
    assert.deepEqual(stage.caps, [10_000_000, 1_250_000]);
    stage.tick([0, 0]);
    assert.deepEqual(stage.caps, [5_000_000, 5_000_000]);
    stage.tick([1, 0.4]);
    assert.deepEqual(stage.caps, [7_500_000, 2_500_000]);
  });

  test('does not count queued bytes as debt', () => {
    const length = { seconds: 5, interval: 5 };
    const lanes = [
      { cap: 5_000_000, used: 900_000_000, grain: 1_000_000 },
      { cap: 5_000_000, used: 0, grain: 0 },
    ];
    const { debt, caps } = shiftCaps(lone, lanes, length, 0);
    assert.equal(debt, 0);
    assert.equal(caps[0], 10_000_000);
  });

  test('restingCaps() respects the limits of lanes, and isShared() too', () => {
    assert.ok(!isShared({ total: 100, max: [40, 60] }));
    assert.deepEqual(restingCaps({ total: 100, max: [40, 60] }), [40, 60]);
    assert.deepEqual(restingCaps({ total: 100, max: [20, Infinity] }), [20, 80]);
    assert.ok(repaidPart < 1);
  });
});
