/** The states of a release on a host, as a machine without I/O. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  begun,
  canGoBack,
  canKeep,
  confirmSeconds,
  endedBy,
  goingBack,
  held,
  isBusy,
  isHeld,
  judged,
  kept,
  marked,
  newState,
  passed,
  resumed,
  started,
  watching,
  wentBack,
  type HostState,
  type Now,
} from '../../src/fleet/core/states.ts';

const at = (uptime: number, boot = 'a', wall = 1e12): Now => ({ boot, uptime, at: wall });
const id = (generation: number) => ({ trust: 1, generation });
const pass = { kind: 'pass', without: [] } as const;
const fail = { kind: 'fail', reasons: ['three tenants suffer'] } as const;
const unclear = { kind: 'unclear', reasons: ['too little was measured'] } as const;

const fresh = newState('example', 'web-1', at(0));
const running = (state: HostState) => started(state, at(1));
const confirmedOn = (generation: number, state = running(fresh)) =>
  kept(
    judged(
      watching(begun(state, id(generation), { watchSeconds: 60 }, at(1)), at(1)),
      pass,
      at(61),
    ),
    at(61),
  );

suite('states', () => {
  test('a release that is refused again and again was refused when it came first', () => {
    const refused = endedBy(fresh, id(7), 'refused', ['a reason'], at(1, 'a', 1000));
    assert.equal(endedBy(refused, id(7), 'refused', ['a reason'], at(2, 'a', 2000)), refused);
    assert.equal(refused.ended?.at, 1000);
    for (const [release, outcome, reason] of [
      [8, 'refused', 'a reason'],
      [7, 'rolled back', 'a reason'],
      [7, 'refused', 'another'],
    ] as const)
      assert.equal(
        endedBy(refused, id(release), outcome, [reason], at(2, 'a', 2000)).ended?.at,
        2000,
      );
  });

  test('a release becomes healthy by the gate, and confirmed by a word or a day', () => {
    const seen = judged(
      watching(begun(running(fresh), id(7), { watchSeconds: 60 }, at(1)), at(2)),
      pass,
      at(62),
    );
    assert.equal(seen.current?.phase, 'healthy');
    assert.equal(seen.confirmed, undefined);
    assert.equal(kept(seen, at(63)).confirmed?.generation, 7);
    assert.equal(passed(seen, at(62 + confirmSeconds - 1)).confirmed, undefined);
    const later = passed(seen, at(62 + confirmSeconds));
    assert.deepEqual([later.confirmed?.generation, later.current?.phase], [7, 'confirmed']);
  });

  test('a wrong wall clock neither confirms nor drops anything', () => {
    const seen = judged(
      watching(begun(running(fresh), id(7), { watchSeconds: 60 }, at(1)), at(2)),
      pass,
      at(62),
    );
    for (const wall of [0, 1e13, -1])
      assert.equal(passed(seen, at(100, 'a', wall)).current?.phase, 'healthy');
  });

  test('a host that starts anew counts only the time that is certain', () => {
    const seen = judged(
      watching(begun(running(fresh), id(7), { watchSeconds: 60 }, at(1)), at(2)),
      pass,
      at(62),
    );
    const half = marked(seen, at(62 + confirmSeconds / 2));
    assert.equal(passed(half, at(confirmSeconds / 2 - 1, 'b')).confirmed, undefined);
    assert.equal(passed(half, at(confirmSeconds / 2, 'b')).confirmed?.generation, 7);
  });

  test('a host goes back to its own confirmed release, not to the one before', () => {
    const first = confirmedOn(3);
    const second = judged(
      watching(begun(first, id(5), { watchSeconds: 60 }, at(70)), at(71)),
      pass,
      at(131),
    );
    const third = watching(begun(second, id(8), { watchSeconds: 60 }, at(140)), at(141));
    const back = wentBack(judged(third, fail, at(150)), at(151));
    assert.deepEqual([back.current?.release.generation, back.current?.phase], [3, 'confirmed']);
    assert.deepEqual(back.ended, {
      release: id(8),
      outcome: 'rolled back',
      reasons: ['three tenants suffer'],
      at: 1e12,
    });
  });

  test('without a confirmed release, a host goes back to its own policy', () => {
    const bad = judged(
      watching(begun(running(fresh), id(1), { watchSeconds: 60 }, at(1)), at(2)),
      fail,
      at(3),
    );
    assert.equal(bad.current?.phase, 'going back');
    const back = wentBack(bad, at(4));
    assert.deepEqual([back.current, back.confirmed], [undefined, undefined]);
  });

  test('back works until a release is confirmed, also when it is healthy already', () => {
    const watched = watching(begun(confirmedOn(3), id(4), { watchSeconds: 60 }, at(70)), at(71));
    const healthy = judged(watched, pass, at(131));
    for (const each of [watched, healthy]) {
      assert.equal(canGoBack(each), true);
      const back = wentBack(goingBack(each, ['root said so'], at(140)), at(141));
      assert.equal(back.current?.release.generation, 3);
    }
    const done = kept(healthy, at(132));
    assert.equal(canGoBack(done), false);
    assert.equal(goingBack(done, ['too late'], at(140)), done);
  });

  test('three watches with too little measured are unclear, and a day does not confirm that', () => {
    let state = watching(begun(running(fresh), id(4), { watchSeconds: 60 }, at(1)), at(2));
    for (let round = 0; round < 2; round++) state = judged(state, unclear, at(100 + round * 60));
    assert.equal(state.current?.phase, 'watching');
    state = judged(state, unclear, at(300));
    assert.equal(state.current?.phase, 'unclear');
    assert.equal(passed(state, at(1e7)).confirmed, undefined);
    assert.equal(canKeep(state), true);
    assert.equal(kept(state, at(1e7)).confirmed?.generation, 4);
  });

  test('an agent that crashes while it applies tries once more, and then starts with the confirmed one', () => {
    const trying = begun(confirmedOn(3), id(4), { watchSeconds: 60 }, at(70));
    const second = started(trying, at(80));
    assert.deepEqual([second.current?.phase, second.current?.tries], ['applying', 2]);
    const third = started(second, at(90));
    assert.equal(third.current?.phase, 'going back');
    assert.equal(wentBack(third, at(91)).current?.release.generation, 3);
  });

  test('an agent that crashes in the watch goes back; one that was stopped watches anew', () => {
    const watched = watching(begun(confirmedOn(3), id(4), { watchSeconds: 60 }, at(70)), at(71));
    assert.equal(started(watched, at(100)).current?.phase, 'going back');
    const again = started({ ...watched, isStopped: true }, at(100));
    assert.equal(again.current?.phase, 'watching');
    assert.equal(again.current?.watch.uptime, 100);
  });

  test('an agent that crashes twice on a healthy release goes back, and never from a confirmed one', () => {
    const healthy = judged(
      watching(begun(confirmedOn(3), id(4), { watchSeconds: 60 }, at(70)), at(71)),
      pass,
      at(131),
    );
    const once = started(healthy, at(140));
    assert.equal(once.current?.phase, 'healthy');
    assert.equal(started(once, at(150)).current?.phase, 'going back');
    const confirmed = kept(healthy, at(140));
    assert.equal(started(started(confirmed, at(150)), at(160)).current?.phase, 'confirmed');
  });

  test('a host that crashes in the watch tries once more', () => {
    const watched = watching(begun(confirmedOn(3), id(4), { watchSeconds: 60 }, at(70)), at(71));
    const second = started(watched, at(5, 'b'));
    assert.equal(second.current?.phase, 'watching');
    assert.equal(started(second, at(5, 'c')).current?.phase, 'going back');
  });

  test('a hold ends by the time that has passed, not by the clock', () => {
    const state = held(fresh, 3600, 'maintenance', at(10));
    assert.equal(isHeld(state, at(11, 'a', 9e15)), true);
    assert.equal(isHeld(state, at(3609)), true);
    assert.equal(isHeld(state, at(3610)), false);
    assert.equal(passed(state, at(3610)).hold, undefined);
    assert.equal(resumed(state).hold, undefined);
  });

  test('whatever happens, only what was healthy or unclear is confirmed, and no crash loop lasts', () => {
    const names = fc.constantFrom(...Object.keys(events), 'reboot', 'day');
    fc.assert(
      fc.property(fc.array(names, { maxLength: 60 }), (happened) => {
        let state = running(fresh);
        let now = at(1, '0');
        let crashes = 0;
        for (const [index, name] of happened.entries()) {
          const before = state;
          const isReboot = name === 'reboot';
          now = at(
            isReboot ? 1 : now.uptime + (name === 'day' ? confirmSeconds : 10),
            isReboot ? `${index}` : now.boot,
          );
          const event = events[name] ?? (isReboot ? started : passed);
          state = event(
            marked(state, isReboot ? { ...now, ...before.heard } : now),
            now,
            index + 1,
          );
          checkConfirmed(before, state);
          const isSame = before.current?.release.generation === state.current?.release.generation;
          const isTrying = ['applying', 'watching'].includes(state.current?.phase ?? '');
          const isCrash = name === 'crash' || isReboot;
          crashes = isTrying && isSame ? crashes + Number(isCrash) : 0;
          assert.ok(crashes <= 2, `${happened.join()}: ${crashes} crashes`);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

type Event = (state: HostState, now: Now, index: number) => HostState;

const whileWatching =
  (verdict: Parameters<typeof judged>[1]): Event =>
  (state, now) =>
    state.current?.phase === 'watching' ? judged(state, verdict, now) : state;

/** Everything that can happen to a host. */
const events: Readonly<Record<string, Event>> = {
  begin: (state, now, index) =>
    isBusy(state) ? state : begun(state, id(index), { watchSeconds: 60 }, now),
  watch: watching,
  pass: whileWatching(pass),
  fail: (state, now) => judged(state, fail, now),
  unclear: whileWatching(unclear),
  keep: kept,
  back: (state, now) => goingBack(state, ['back'], now),
  'went back': wentBack,
  refuse: (state, now, index) => endedBy(state, id(index), 'refused', [], now),
  stop: (state, now) => started({ ...state, isStopped: true }, now),
  crash: started,
};

function checkConfirmed(before: HostState, after: HostState): void {
  if (after.current?.phase === 'confirmed')
    assert.deepEqual(after.current.release, after.confirmed);
  if (after.confirmed === before.confirmed) return;
  assert.ok(['healthy', 'unclear'].includes(before.current?.phase ?? ''));
  assert.deepEqual(after.confirmed, before.current?.release);
}
