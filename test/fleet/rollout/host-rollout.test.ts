/** A host's state under a controller's records, as a machine without I/O. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { ReleaseHead } from '../../../src/fleet/core/documents.ts';
import { parseState } from '../../../src/fleet/core/parse-state.ts';
import {
  followed,
  freshRecord,
  freshSeconds,
  instructed,
  isWaiting,
  opened,
  paceSeconds,
  whyClosed,
} from '../../../src/fleet/core/rollout/host-rollout.ts';
import { verdicts, type RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import {
  begun,
  confirmSeconds,
  heardOf,
  held,
  isBusy,
  judged,
  marked,
  newState,
  passed,
  watching,
  wentBack,
  type HostState,
  type Now,
} from '../../../src/fleet/core/states.ts';
import { headFields, start } from '../people.ts';
import { hours, recordOf } from './records.ts';

const at = (uptime: number, wall = start + uptime * 1000, boot = 'a'): Now => ({
  boot,
  uptime,
  at: wall,
});
const rootOf = (generation: number) => generation.toString(16).padStart(64, '0');
const head = (generation: number): ReleaseHead => ({
  format: 1,
  root: rootOf(generation),
  hosts: 3,
  ...headFields({ generation }),
});
const about = (generation: number) => ({ trust: 1, generation, root: rootOf(generation) });
let sequence = 1;
const givenBy = (record: RolloutRecord) => ({
  record,
  until: Date.parse(record.expires),
  given: 'root',
});
const told = (state: HostState, more: Partial<RolloutRecord>, now: Now) =>
  followed(instructed(state, givenBy(recordOf({ sequence: sequence++, ...more })), now), now);
const knows = (state: HostState, generation: number, now: Now) =>
  heardOf(state, { newest: head(generation), given: 'root', isLed: true }, now);
const begins = (state: HostState, generation: number, now: Now) =>
  watching(begun(opened(state, now), { trust: 1, generation }, { watchSeconds: 60 }, now), now);
const pass = { kind: 'pass', without: [] } as const;

const fresh = newState('example', 'web-1', at(0));
const waiting = knows(fresh, 7, at(1));
const healthy = (generation: number, state = waiting) =>
  judged(begins(knows(state, generation, at(2)), generation, at(2)), pass, at(70));

suite('a host that is led by controllers', () => {
  test('begins nothing before a record opens its wave', () => {
    const closed = (state: HostState, wave = 2, now = at(10)) =>
      whyClosed(state, head(7), wave, now) ?? 'open';
    assert.match(closed(waiting), /waits for a record/);
    const go = (more: Partial<RolloutRecord>) =>
      told(waiting, { release: about(7), ...more }, at(5));
    assert.match(closed(go({ wave: 1 })), /waits for wave 2, and wave 1 is open/);
    assert.equal(closed(go({ wave: 2 })), 'open');
    assert.equal(closed(go({ wave: 3 })), 'open');
    assert.equal(closed(go({ wave: 1, verdict: 'keep' })), 'open');
    assert.match(closed(go({ wave: 3, verdict: 'hold', reason: 'alice looks' })), /alice looks/);
    assert.match(closed(go({ wave: 3, verdict: 'back' })), /goes back/);
    assert.match(
      closed(go({ wave: 3, release: about(6) })),
      /the last record is about generation 6/,
    );
  });

  test('a record for another release of the same number, or one that was never signed, opens nothing', () => {
    const other = told(waiting, { release: { ...about(7), root: rootOf(9) }, wave: 3 }, at(5));
    assert.match(whyClosed(other, head(7), 1, at(6)) ?? '', /waits for its rollout/);
    const never = told(healthy(7), { release: about(8), verdict: 'back' }, at(80));
    assert.equal(never.current?.phase, 'healthy');
    const back = told(
      healthy(7),
      { release: { ...about(7), root: rootOf(9) }, verdict: 'back' },
      at(80),
    );
    assert.equal(back.current?.phase, 'healthy');
  });

  test('a record counts for a day since it came, and until it expires, whatever the clock says', () => {
    const state = told(waiting, { release: about(7), wave: 3 }, at(5));
    const isOpen = (now: Now, of = state) => whyClosed(of, head(7), 1, now) === undefined;
    assert.equal(isOpen(at(freshSeconds - 1)), true);
    assert.equal(isOpen(at(freshSeconds)), false);
    // A clock that was set back, or stands still.
    assert.equal(isOpen(at(freshSeconds + 6, start)), false);
    assert.equal(isOpen(at(10, start - 40 * 86_400_000)), true);
    // A clock that is far ahead: nothing begins, and nothing goes.
    assert.equal(isOpen(at(10, start + 40 * 86_400_000)), false);
    const after = marked(state, at(freshSeconds / 2));
    assert.equal(isOpen(at(freshSeconds / 2 + 6, start, 'b'), after), false);
    assert.equal(isOpen(at(freshSeconds / 2 - 6, start, 'b'), after), true);
    // The same record handed over again changes nothing.
    const { rollout } = state;
    assert.ok(rollout);
    assert.equal(instructed(state, rollout, at(freshSeconds)), state);
  });

  test('time confirms nothing; "keep" and the next release do', () => {
    const state = healthy(7);
    assert.equal(passed(state, at(2 * confirmSeconds)).current?.phase, 'healthy');
    const go = told(state, { release: about(7), wave: 3 }, at(80));
    assert.equal(go.current?.phase, 'healthy');
    const keep = told(state, { release: about(7), verdict: 'keep' }, at(80));
    assert.deepEqual([keep.current?.phase, keep.confirmed?.generation], ['confirmed', 7]);
    const next = begins(knows(go, 8, at(90)), 8, at(4000));
    assert.deepEqual([next.confirmed?.generation, next.current?.release.generation], [7, 8]);
  });

  test('"keep" confirms no release that is still watched, unclear, or that failed', () => {
    const state = begins(waiting, 7, at(2));
    const keep = { release: about(7), verdict: 'keep' } as const;
    assert.equal(told(state, keep, at(3)).current?.phase, 'watching');
    const failed = judged(state, { kind: 'fail', reasons: ['three suffer'] }, at(3));
    assert.equal(told(failed, keep, at(4)).current?.phase, 'going back');
    let unclear = state;
    for (let round = 0; round < 3; round++)
      unclear = judged(unclear, { kind: 'unclear', reasons: [] }, at(5));
    assert.equal(told(unclear, keep, at(6)).current?.phase, 'unclear');
    // What becomes healthy later is confirmed then.
    const later = judged(told(state, keep, at(3)), pass, at(70));
    assert.equal(followed(later, at(71)).current?.phase, 'confirmed');
  });

  test('"back" takes back what is watched or healthy, at once, and never what is confirmed', () => {
    const back = { release: about(7), verdict: 'back', reason: '3 of 31 hosts failed' } as const;
    for (const state of [begins(waiting, 7, at(2)), healthy(7)]) {
      const gone = told(state, back, at(80));
      assert.equal(gone.current?.phase, 'going back');
      assert.deepEqual(gone.current?.reasons, ['A controller said so: 3 of 31 hosts failed']);
    }
    const kept = told(healthy(7), { release: about(7), verdict: 'keep' }, at(80));
    assert.equal(told(kept, back, at(81)).current?.phase, 'confirmed');
    const other = told(healthy(7), { ...back, release: about(6) }, at(80));
    assert.equal(other.current?.phase, 'healthy');
  });

  test("root's hold is stronger", () => {
    const state = held(healthy(7), 3600, 'root looks', at(75));
    const back = told(state, { release: about(7), verdict: 'back' }, at(80));
    assert.equal(back.current?.phase, 'healthy');
    assert.equal(followed(passed(back, at(3700)), at(3700)).current?.phase, 'going back');
  });

  test('records begin at most one release an hour', () => {
    const back = told(healthy(7), { release: about(7), verdict: 'back' }, at(80));
    const next = told(
      knows(wentBack(back, at(81)), 8, at(82)),
      { release: about(8), wave: 3 },
      at(83),
    );
    const closed = (now: Now, of = next) => whyClosed(of, head(8), 1, now);
    assert.match(closed(at(84)) ?? '', /less than an hour ago/);
    assert.match(closed(at(2 + paceSeconds - 1)) ?? '', /waits 1 s more/);
    assert.equal(closed(at(2 + paceSeconds)), undefined);
    // Neither the clock nor a restart of the host is a way around it.
    assert.match(closed(at(84, start + 5 * 3_600_000)) ?? '', /less than an hour ago/);
    assert.match(closed(at(1, start, 'b'), marked(next, at(84))) ?? '', /less than an hour ago/);
  });

  test('waits are shown, and only those', () => {
    const shown = (more: Partial<RolloutRecord>, state = waiting) =>
      isWaiting(told(state, more, at(80)), at(81));
    assert.equal(isWaiting(waiting, at(2)), true);
    assert.equal(shown({ release: about(6) }), true);
    assert.equal(shown({ release: about(7), verdict: 'hold' }), true);
    assert.equal(shown({ release: about(7), verdict: 'back' }), false);
    assert.equal(shown({ release: about(7) }, healthy(7)), false);
    assert.equal(isWaiting(fresh, at(2)), false);
  });

  test('another trust from root, or one without controllers, ends what controllers said', () => {
    const state = told(waiting, { release: about(7), wave: 3 }, at(5));
    const given = heardOf(state, { newest: head(7), given: 'again', isLed: true }, at(6));
    assert.equal(given.rollout, undefined);
    const free = heardOf(state, { newest: head(7), given: 'root', isLed: false }, at(6));
    assert.deepEqual([freshRecord(free, at(7)), free.isLed], [undefined, false]);
    // The record is still known, so that an older one does not count if controllers come back.
    assert.equal(free.rollout?.record.sequence, state.rollout?.record.sequence);
  });

  test('the state with a record is read as it was written', () => {
    const state = told(healthy(7), { release: about(7), expires: hours(20) }, at(80));
    const text = JSON.stringify(marked(state, at(81)));
    assert.ok(parseState(JSON.parse(text)));
    const damaged = text.replace('"verdict":"go"', '"verdict":"stop"');
    assert.equal(parseState(JSON.parse(damaged)), undefined);
    assert.ok(freshRecord(state, at(82)));
  });

  test('whatever records come, a host begins no generation twice, and at most one an hour', () => {
    const events = fc.record({
      generation: fc.integer({ min: 1, max: 5 }),
      verdict: fc.constantFrom(...verdicts),
      wave: fc.integer({ min: 1, max: 3 }),
      seconds: fc.integer({ min: 1, max: 2000 }),
      passes: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (happened) => {
        const begunAt = beginsOf(happened);
        const generations = begunAt.map(({ generation }) => generation);
        assert.equal(new Set(generations).size, generations.length, generations.join());
        for (const [index, { uptime }] of begunAt.slice(1).entries())
          assert.ok(uptime - (begunAt[index]?.uptime ?? 0) >= paceSeconds);
      }),
      { numRuns: 1000 },
    );
  });
});

interface Happened {
  readonly generation: number;
  readonly verdict: RolloutRecord['verdict'];
  readonly wave: number;
  readonly seconds: number;
  readonly passes: boolean;
}

/** Returns the releases that a host of wave 2 begins. */
function beginsOf(happened: readonly Happened[]) {
  const begun: { readonly generation: number; readonly uptime: number }[] = [];
  let state = fresh;
  let uptime = 10;
  for (const { generation, verdict, wave, seconds, passes } of happened) {
    uptime += seconds;
    const now = at(uptime, start);
    // The taker refuses older ones.
    if (generation >= (state.newest?.generation ?? 0)) state = knows(state, generation, now);
    state = told(state, { release: about(generation), verdict, wave }, now);
    if (passes) state = judged(state, pass, now);
    state = wentBack(followed(passed(state, now), now), now);
    const newest = state.newest?.generation ?? 0;
    if (isBusy(state) || whyClosed(state, head(newest), 2, now) !== undefined) continue;
    // The taker refuses those that are in force, or that the host went back from.
    const known = [state.current, state.ended].map((each) => each?.release.generation);
    if (known.includes(newest)) continue;
    state = begins(state, newest, now);
    begun.push({ generation: newest, uptime });
  }
  return begun;
}
