/** The order of turns, and the amount of work: pure logic, with a clock of the test's own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from '../../src/store/history/fair-queue.ts';
import { WorkBudget } from '../../packages/base/work-budget.ts';

const wide = { eachMax: 1_000, totalMax: 10_000 };

describe('FairQueue', () => {
  test('take() gives each caller the same amount of work, however often it asks', () => {
    const queue = new FairQueue<string>(wide);
    const done = new Map<number, number>();
    // 1 asks for much at once, 2 for little, 3 for the same as 2 but more often.
    const costs = new Map([
      [1, 10],
      [2, 1],
      [3, 1],
    ]);
    for (const who of [1, 2, 3]) {
      for (let index = 0; index < 200; index++) queue.add(who, `${who}`);
    }
    for (let index = 0; index < 120; index++) {
      const { who } = queue.take() ?? assert.fail();
      const cost = costs.get(who) ?? 0;
      queue.charge(who, cost);
      done.set(who, (done.get(who) ?? 0) + cost);
    }
    const all = [...done.values()];
    assert.ok(Math.max(...all) - Math.min(...all) <= 10, JSON.stringify([...done]));
  });

  test('take() serves a new caller before those that ask without end', () => {
    const queue = new FairQueue<string>(wide);
    const attackers = Array.from({ length: 18 }, (_, index) => index + 1);
    const serve = (): number => {
      const { who } = queue.take() ?? assert.fail();
      queue.charge(who, 3_000);
      if (who !== 99) queue.add(who, 'more');
      return who;
    };
    for (const who of attackers) queue.add(who, 'much');
    for (let visit = 0; visit < 5; visit++) {
      for (let index = 0; index < 100; index++) serve();
      queue.add(99, 'little');
      // Only callers that have had as little as that one, at the floor, may precede it.
      const turns = Array.from({ length: 19 }, serve);
      assert.ok(turns.includes(99));
    }
    for (let index = 0; index < 7; index++) serve();
    queue.add(99, 'little');
    const turns = Array.from({ length: 19 }, serve);
    assert.ok(turns.includes(99));
  });

  test('add() displaces the last item of the greediest caller when the queue is full', () => {
    const queue = new FairQueue<string>({ eachMax: 3, totalMax: 4 });
    for (const item of ['a', 'b', 'c']) assert.equal(queue.add(1, item).kind, 'added');
    assert.equal(queue.add(1, 'd').kind, 'refused');
    assert.equal(queue.add(2, 'e').kind, 'added');
    assert.deepEqual(queue.add(3, 'f'), { kind: 'displaced', item: 'c' });
    assert.equal(queue.add(2, 'g').kind, 'refused');
    assert.deepEqual(queue.add(4, 'h'), { kind: 'displaced', item: 'b' });
    assert.equal(queue.add(5, 'i').kind, 'refused');
    assert.deepEqual(queue.removeAll(), ['a', 'e', 'f', 'h']);
    assert.equal(queue.take(), undefined);
  });

  test("keeps all items, the bounds and each caller's order for any sequence of calls", () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('add'), who: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('take'), cost: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), at: fc.nat(99) }) },
    );
    const property = fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const queue = new FairQueue<number>({ eachMax: 3, totalMax: 8 });
      const model: { who: number; item: number }[] = [];
      const forget = (item: number) => {
        const index = model.findIndex((each) => each.item === item);
        assert.ok(index >= 0);
        model.splice(index, 1);
      };
      for (const [item, each] of actions.entries()) {
        if ('who' in each) {
          const { who } = each;
          const own = model.filter((other) => other.who === who).length;
          const added = queue.add(who, item);
          if (own >= 3) assert.equal(added.kind, 'refused');
          else if (model.length < 8) assert.equal(added.kind, 'added');
          if (added.kind === 'displaced') forget(added.item);
          if (added.kind !== 'refused') model.push({ who, item });
        } else if ('cost' in each) {
          const taken = queue.take();
          assert.equal(taken === undefined, model.length === 0);
          if (taken === undefined) continue;
          assert.equal(taken.item, model.find(({ who }) => who === taken.who)?.item);
          forget(taken.item);
          queue.charge(taken.who, each.cost);
        } else {
          const waiting = model[each.at % Math.max(1, model.length)];
          if (waiting === undefined) continue;
          queue.remove(waiting.who, waiting.item);
          forget(waiting.item);
        }
        assert.equal(queue.length, model.length);
      }
    });
    fc.assert(property);
  });
});

describe('WorkBudget', () => {
  test('wait() is 0 for a burst, and then limits work to its share', () => {
    const budget = new WorkBudget({ share: 0.25, burst: 10_000 });
    assert.equal(budget.wait(0), 0);
    budget.spend(10_000, 10_000);
    assert.equal(budget.wait(10_000), 0);
    budget.spend(3_000, 13_000);
    // Saved up meanwhile: a quarter of 13 s, of which the full budget could not take the first 10 s.
    assert.equal(budget.wait(13_000), (3_000 - 750) / 0.25);
    assert.equal(budget.wait(22_000), 0);
    assert.equal(budget.wait(5_000), 0);
  });

  test('wait() bounds work over any time to the burst, the share and one piece', () => {
    const piece = fc.record({ pause: fc.nat(20_000), work: fc.integer({ min: 1, max: 6_000 }) });
    const property = fc.property(
      fc.array(piece, { maxLength: 100 }),
      fc.constantFrom(0.05, 0.25, 0.5),
      fc.nat(10_000),
      (pieces, share, burst) => {
        const budget = new WorkBudget({ share, burst });
        const spans: { begin: number; end: number }[] = [];
        let now = 0;
        for (const { pause, work } of pieces) {
          now += pause;
          now += budget.wait(now);
          assert.ok(budget.wait(now) < 1e-3);
          spans.push({ begin: now, end: now + work });
          now += work;
          budget.spend(work, now);
        }
        for (const [index, { begin }] of spans.entries()) {
          let sum = 0;
          for (const span of spans.slice(index)) {
            sum += span.end - span.begin;
            assert.ok(sum <= burst + share * (span.end - begin) + 6_000 + 1);
          }
        }
      },
    );
    fc.assert(property);
  });
});
