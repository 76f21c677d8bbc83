import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  charge,
  debtMicrosecondsMax,
  savedMicrosecondsMax,
  statementDebtMicrosecondsMax,
  type CpuUse,
} from '../../src/database/core/bucket.ts';
import { judge, newHold, type Hold, type HoldUse } from '../../src/database/core/hold.ts';
import { breathMicroseconds, changesIn, nextSlice } from '../../src/database/core/slices.ts';
import { Stage, type Load } from './hold-stage.ts';

const second = 1_000_000;

suite('charge()', () => {
  const limitFraction = 0.2;
  const look = (used: number | undefined, elapsed = second): CpuUse => ({
    usedMicroseconds: used,
    elapsedMicroseconds: elapsed,
    limitFraction,
  });

  test('fills by elapsed time, and charges what was used', () => {
    assert.equal(charge(0, look(0)), 200_000);
    assert.equal(charge(0, look(1_500_000)), -1_300_000);
    assert.equal(charge(0, look(600_000, 3 * second)), 0, 'a look that is 3 s late');
  });

  test('keeps half a second at most', () => {
    assert.equal(charge(0, look(0, 3600 * second)), savedMicrosecondsMax);
  });

  test('bounds debt, and more loosely that of one statement', () => {
    assert.equal(charge(0, look(99 * second)), -debtMicrosecondsMax);
    const long = { ...look(99 * second), statementMicroseconds: 7 * second };
    assert.equal(charge(0, long), -7 * second);
    const endless = { ...look(99 * second), statementMicroseconds: 99 * second };
    assert.equal(charge(0, endless), -statementDebtMicrosecondsMax);
  });

  test('forgives no debt when the statement that made it has ended', () => {
    assert.equal(charge(-8 * second, look(0)), -7_800_000);
    assert.equal(charge(-8 * second, look(second)), -8 * second, 'and it does not grow');
  });

  test('takes back what an earlier look has charged too much', () => {
    assert.equal(charge(-second, look(-second)), 200_000);
  });

  test('charges nothing that is unknown', () => {
    assert.equal(charge(-second, look(undefined)), -800_000);
  });

  test('stays within its bounds, whatever clocks and counters report', () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constant(undefined));
    const uses = fc.array(fc.tuple(number, number, number), { maxLength: 50 });
    fc.assert(
      fc.property(uses, fc.double({ min: 0.01, max: 64, noNaN: true }), (all, limit) => {
        let balance: number = savedMicrosecondsMax;
        for (const [used, elapsed, statement] of all) {
          balance = charge(balance, {
            usedMicroseconds: used,
            elapsedMicroseconds: elapsed ?? -1,
            limitFraction: limit,
            ...(statement === undefined ? {} : { statementMicroseconds: statement }),
          });
          assert.ok(balance <= savedMicrosecondsMax && balance >= -statementDebtMicrosecondsMax);
        }
      }),
    );
  });
});

suite('nextSlice()', () => {
  test('pauses for less than a second, and lets run for 50 ms at least, whenever it is asked', () => {
    const waits = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(waits, (all) => {
        let now = 0;
        let slice = { isFrozen: false, since: -second };
        for (const wait of all) {
          now += Math.min(wait, Math.max(1, changesIn(slice, now)));
          const next = nextSlice(slice, true, now);
          if (next !== slice) {
            const length = next.since - slice.since;
            assert.ok(slice.isFrozen ? length <= second : length >= breathMicroseconds);
          }
          slice = next;
        }
      }),
    );
  });

  test('thaws at once when the debt is paid, and when the clock has gone back', () => {
    const frozen = { isFrozen: true, since: 100 };
    assert.equal(nextSlice(frozen, true, 200), frozen);
    assert.equal(nextSlice(frozen, false, 200).isFrozen, false);
    assert.equal(nextSlice(frozen, true, 50).isFrozen, false);
  });
});

suite('judge()', () => {
  const use = (rate: number, more: Partial<HoldUse> = {}): HoldUse => ({
    usedMicroseconds: rate * second,
    elapsedMicroseconds: second,
    limitFraction: 0.2,
    canFreeze: true,
    ...more,
  });
  const after = (uses: readonly HoldUse[], from: Hold = newHold) =>
    uses.reduce((hold, each) => judge(hold, each, 'on'), from);
  const times = (n: number, each: HoldUse) => Array.from({ length: n }, () => each);

  test('holds nobody within the limit', () => {
    const hold = after(times(100, use(0.19)));
    assert.deepEqual([hold.owes, hold.rung], [false, 'none']);
  });

  test('stays at freezing while that brings use down to the limit, or by a third', () => {
    for (const [free, held] of [
      [1.5, 0.2],
      [1.5, 0.9],
      [0.26, 0.21],
    ] as const) {
      const hold = after([use(free), use(free), ...times(60, use(held))]);
      assert.equal(hold.rung, 'freeze', `${free} → ${held}`);
    }
  });

  test('takes the next rung after 10 s in which freezing did not help, and the last 10 s later', () => {
    let hold: Hold = newHold;
    const seen: string[] = [];
    const ends: number[] = [];
    for (let at = 0; at < 30; at++) {
      hold = judge(hold, use(1.5), 'on');
      if (seen.at(-1) !== hold.rung) seen.push(hold.rung);
      ends.push(hold.ends);
    }
    assert.deepEqual(seen, ['freeze', 'connections', 'statements']);
    assert.deepEqual(ends.slice(20), [1, 2, 4, 8, 16, 32, 64, 64, 64, 64]);
    assert.ok(ends.slice(0, 20).every((each) => each === 0));
  });

  test('ends nothing on the last rung for a peak of less than a second', () => {
    let hold = after(times(30, use(1.5)));
    hold = after(times(30, use(0)), hold);
    assert.deepEqual([hold.owes, hold.rung, hold.ends], [false, 'statements', 0]);
    const peak = { usedMicroseconds: 1.5 * second, elapsedMicroseconds: second / 10 };
    hold = after(times(9, use(0, peak)), hold);
    assert.deepEqual([hold.owes, hold.ends], [true, 0]);
    assert.equal(after([use(0, peak)], hold).ends, 1);
  });

  test('takes the use by time of servers that are looked at one after another', () => {
    const free = { ...use(0), usedMicroseconds: 0.6 * second, elapsedMicroseconds: 1_000 };
    assert.equal(judge(newHold, { ...free, rate: 0.6 }, 'on').freeRate, 0.6);
  });

  test('takes the next rung at once where nothing can be frozen, and waits while that is unknown', () => {
    assert.equal(after(times(2, use(1.5, { canFreeze: false }))).rung, 'connections');
    assert.equal(after(times(5, use(1.5, { canFreeze: undefined }))).rung, 'freeze');
  });

  test('lets go after a minute without debt', () => {
    const held = after(times(30, use(1.5)));
    assert.equal(held.rung, 'statements');
    const paid = after(times(30, use(0)), held);
    assert.deepEqual([paid.owes, paid.rung], [false, 'statements']);
    assert.equal(after(times(60, use(0)), paid).rung, 'none');
  });

  test('never climbs, nor kills, where it only watches', () => {
    let hold: Hold = newHold;
    for (let at = 0; at < 100; at++) {
      hold = judge(hold, use(1.5, { canFreeze: false }), 'watch');
      assert.equal(hold.ends, 0);
    }
    assert.deepEqual([hold.rung, hold.owes], ['freeze', true]);
    hold = times(60, use(0)).reduce((each, next) => judge(each, next, 'watch'), hold);
    assert.equal(hold.rung, 'none');
  });
});

/** Loads of one server, as they were measured: connections, CPU of a statement, whether it needs the client for each. */
const loads: Readonly<Record<string, Load>> = {
  'scans of 24 ms': { connections: 8, statementMicroseconds: 24_000 },
  pages: { connections: 4, statementMicroseconds: 2_000 },
  'point selects': { connections: 4, statementMicroseconds: 80 },
};

/** Numbers from 0 to 1 that are the same in each run. Source: Park and Miller's generator. */
function numbersFrom(seed: number): () => number {
  let last = seed;
  return () => (last = (last * 48_271) % 2_147_483_647) / 2_147_483_647;
}

suite('a held load, simulated', () => {
  for (const [name, load] of Object.entries(loads))
    for (const limit of [0.2, 0.5])
      test(`${name} use ${limit * 100} % of a core within a tenth, over 10 s`, () => {
        const stage = new Stage(load, limit);
        stage.run(40 * second, 100_000);
        const rates = stage.ratesPer(10 * second).slice(1);
        for (const rate of rates)
          assert.ok(Math.abs(rate / limit - 1) <= 0.1, `${name}: ${rates.join(', ')}`);
        assert.ok(stage.longestPause <= second, String(stage.longestPause));
      });

  for (const [name, load] of Object.entries(loads))
    for (const limit of [0.2, 0.5])
      test(`${name} use ${limit * 100} % of a core within a tenth, with looks as the agent's`, () => {
        for (const seed of [1, 2, 3]) {
          const stage = new Stage(load, limit);
          // The first look may come a second late, and such a debt is paid first.
          stage.runPaced(90 * second, numbersFrom(seed));
          const rates = stage.ratesPer(10 * second).slice(-3);
          for (const rate of rates)
            assert.ok(Math.abs(rate / limit - 1) <= 0.1, `${name}: ${rates.join(', ')}`);
          assert.ok(stage.longestPause <= second, String(stage.longestPause));
        }
      });

  test('a limit below what is used between two slices holds a tenant to that', () => {
    for (const [name, load] of Object.entries(loads))
      for (const [connections, most] of [
        [1, 0.075],
        [load.connections, 0.125],
      ] as const) {
        const stage = new Stage({ ...load, connections }, 0.02);
        stage.runPaced(90 * second, numbersFrom(1));
        const rates = stage.ratesPer(10 * second).slice(-3);
        for (const rate of rates)
          assert.ok(rate >= 0.045 && rate <= most, `${name}: ${rates.join(', ')}`);
        assert.ok(stage.longestPause <= second, String(stage.longestPause));
      }
  });

  for (const connections of [2, 8])
    test(`${connections} statements that are longer than a pause are ended until they keep to the limit`, () => {
      const stage = new Stage({ connections, statementMicroseconds: 1_200_000 }, 0.2);
      stage.run(120 * second, 100_000);
      assert.equal(stage.rung, 'statements');
      assert.ok(stage.longestPause <= second);
      const rates = stage.ratesPer(40 * second).slice(1);
      for (const rate of rates) assert.ok(rate <= 0.2 * 1.2, rates.join(', '));
    });

  test('tenants that come and go, clocks that jump and counters that fall end no hold too late', () => {
    const spans = fc.array(
      fc.record({
        used: fc.oneof(fc.integer({ min: -9_000_000, max: 9_000_000 }), fc.constant(undefined)),
        elapsed: fc.integer({ min: -5 * second, max: 5 * second }),
        leaves: fc.boolean(),
        canFreeze: fc.constantFrom(true, false, undefined),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(spans, (all) => {
        let hold: Hold = newHold;
        for (const { used, elapsed, leaves, canFreeze } of all) {
          if (leaves) hold = newHold;
          const next = {
            usedMicroseconds: used,
            elapsedMicroseconds: elapsed,
            limitFraction: 0.2,
            canFreeze,
          };
          hold = judge(hold, next, 'on');
          assert.equal(hold.owes, hold.balance < 0);
          assert.ok(hold.rung !== 'none' || !hold.owes, 'what is held has a rung');
        }
        // The most that anybody can owe is paid after 50 s at a limit of 20 %, and the rungs end a minute later.
        for (let at = 0; at < 111; at++) {
          const idle = {
            usedMicroseconds: 0,
            elapsedMicroseconds: second,
            limitFraction: 0.2,
            canFreeze: true,
          };
          hold = judge(hold, idle, 'on');
        }
        assert.deepEqual([hold.owes, hold.rung], [false, 'none']);
      }),
    );
  });

  test('looks that are 3 s late hold the budget over a minute, and pause nobody for longer', () => {
    const stage = new Stage({ connections: 1, statementMicroseconds: 24_000 }, 0.5);
    stage.run(120 * second, 3 * second);
    const [, rate = 0] = stage.ratesPer(60 * second);
    assert.ok(rate <= 0.5 * 1.1, String(rate));
    assert.ok(stage.longestPause <= second);
  });

  test('an innocent tenant is never paused, beside any load', () => {
    const stage = new Stage(
      { connections: 1, statementMicroseconds: 100, restMicroseconds: 900 },
      0.2,
    );
    stage.run(60 * second, 100_000);
    assert.equal(stage.longestPause, 0);
  });
});
