/** The judgement of a controller, and whole rollouts of hosts that follow its records: counts, not times. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FleetState } from '../../../src/agent/api/fleet-api.ts';
import type { RolloutStatus } from '../../../src/fleet/core/rollout/centre.ts';
import {
  countWave,
  decide,
  judgedWaves,
  rolloutTimes,
} from '../../../src/fleet/core/rollout/decide.ts';
import {
  followed,
  instructed,
  opened,
  whyClosed,
} from '../../../src/fleet/core/rollout/host-rollout.ts';
import { releaseIn, wavesOf, type RolloutPlan } from '../../../src/fleet/core/rollout/plan.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import { stepFor, type RolloutWord } from '../../../src/fleet/core/rollout/steps.ts';
import { responseOf } from '../../../src/fleet/core/response.ts';
import {
  begun,
  heardOf,
  isRelease,
  judged,
  newState,
  watching,
  wentBack,
  type HostState,
} from '../../../src/fleet/core/states.ts';
import { headFields, start } from '../people.ts';
import { recordOf } from './records.ts';

const minute = 60_000;
const anytime = { opened: 0, listens: 0 };
const planOf = (waves: readonly (readonly string[])[], generation = 7): RolloutPlan => ({
  head: {
    format: 1,
    root: generation.toString(16).padStart(64, '0'),
    hosts: waves.flat().length,
    ...headFields({ generation }),
  },
  waves,
});
const names = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => `web-${from + index}`);

suite('decide()', () => {
  const plan = planOf([names(3), names(100, 4), names(200, 104)]);
  const now = start + 60 * minute;
  const hosts = (wave: number) => plan.waves[wave - 1] ?? [];
  const status = (state: FleetState, more: Partial<RolloutStatus> = {}): RolloutStatus => ({
    state,
    generation: 7,
    newest: 7,
    root: plan.head.root,
    receivedAt: now - minute,
    ...more,
  });
  const healthy = (wave: number) =>
    new Map(
      plan.waves
        .slice(0, wave)
        .flat()
        .map((host) => [host, status('healthy')]),
    );
  const word = (
    statuses: ReadonlyMap<string, RolloutStatus>,
    more: Partial<RolloutRecord> = {},
    opened = now - minute,
    listensSince = 0,
  ) =>
    decide(
      plan,
      recordOf({ release: releaseIn(plan), ...more }),
      { statuses, now, times: rolloutTimes },
      { opened, listens: listensSince },
    )?.word;
  const long = now - 100 * 60 * minute;

  test('passes a wave once all have decided, and waits until then', () => {
    assert.equal(word(healthy(1)), 'next');
    const pending: readonly RolloutStatus[] = [
      status('waiting'),
      status('watching'),
      status('frozen'),
      status('confirmed', { generation: 6 }),
      status('healthy', { generation: 6, newest: 6 }),
      status('rolled back', { generation: 6, newest: 6 }),
      // Another release of the same number: whatever became of it says nothing of this one.
      status('confirmed', { root: 'f'.repeat(64) }),
      status('rolled back', { root: 'f'.repeat(64) }),
      status('healthy', { root: null }),
    ];
    for (const each of pending)
      assert.equal(word(healthy(1).set('web-1', each)), undefined, each.state);
    assert.equal(word(healthy(2), { wave: 2 }), 'next');
    assert.equal(word(healthy(1), { wave: 2 }), undefined);
  });

  test('takes back: in the first wave for any host, later for more than people allow', () => {
    for (const state of ['refused', 'rolled back', 'going back'] as const)
      assert.equal(word(healthy(1).set('web-1', status(state, { generation: 6 }))), 'back');
    const failing = (count: number) => {
      const statuses = healthy(2);
      for (const host of hosts(2).slice(0, count)) statuses.set(host, status('rolled back'));
      return word(statuses, { wave: 2 });
    };
    assert.deepEqual([failing(0), failing(2), failing(3)], ['next', 'next', 'back']);
    // A host of a wave that has passed, also while the rollout is paused, and also if it says nothing since then.
    const late = healthy(2).set('web-1', status('rolled back', { receivedAt: long }));
    assert.equal(word(late, { wave: 2 }), 'back');
    assert.equal(word(late, { wave: 2, verdict: 'hold' }), 'back');
  });

  test('leaves few silent hosts behind, in no wave more than people allow', () => {
    const silent = (count: number, opened = now - minute) => {
      const statuses = healthy(2);
      for (const host of hosts(2).slice(0, count)) statuses.delete(host);
      return word(statuses, { wave: 2 }, opened);
    };
    assert.deepEqual([silent(10), silent(11), silent(11, long)], ['next', undefined, 'pause']);
    // One of three canaries is more than a tenth, also after its wave has passed.
    for (const each of [
      status('healthy', { receivedAt: now - 4 * minute }),
      status('held'),
      status('unclear'),
      status('unsupported version'),
      status('unknown'),
    ]) {
      const statuses = healthy(2).set('web-1', each);
      assert.equal(word(statuses, { wave: 2 }), undefined, each.state);
      assert.equal(word(statuses, { wave: 2 }, long), 'pause', each.state);
    }
  });

  test('all canaries silent, and no statuses at all: people decide', () => {
    assert.equal(word(new Map(), {}, long), 'pause');
    assert.equal(word(new Map()), undefined);
    const loose = { ...plan, head: { ...plan.head, silent: 1 } };
    const record = recordOf({ release: releaseIn(plan) });
    const seen = { statuses: new Map(), now, times: rolloutTimes };
    assert.equal(decide(loose, record, seen, { opened: now - minute, listens: 0 }), undefined);
  });

  test('says nothing after the end, and stops what it cannot judge', () => {
    for (const verdict of ['back', 'keep'] as const)
      assert.equal(word(healthy(1), { verdict }), undefined);
    assert.equal(word(healthy(1), { verdict: 'hold' }), undefined);
    const other = { release: { ...releaseIn(plan), generation: 6 } };
    assert.equal(word(healthy(1), other), 'pause');
    assert.equal(word(healthy(1), { ...other, verdict: 'hold' }), undefined);
    // Another centre has a later release than this one.
    const later = { release: { ...releaseIn(plan), generation: 8 } };
    assert.equal(word(healthy(1), later), undefined);
  });

  test('a wave without hosts is no reason for anything', () => {
    const gap = planOf(
      wavesOf([
        { host: 'web-1', wave: 1 },
        { host: 'web-2', wave: 4 },
      ]),
    );
    const first = recordOf({ release: releaseIn(gap) });
    const next = stepFor('next', gap, first);
    assert.equal(next.ok && next.value.wave, 4);
    const seen = { statuses: new Map(), now, times: rolloutTimes };
    assert.equal(countWave(gap, 2, seen).hosts, 0);
    assert.deepEqual(
      judgedWaves(gap, 4, seen).map(({ counted }) => counted.wave),
      [1, 4],
    );
    // The first wave that has hosts is the one in which none may fail.
    const late = planOf([[], names(100)]);
    const statuses = healthy(2).set('web-5', status('rolled back'));
    for (const host of names(100)) if (!statuses.has(host)) statuses.set(host, status('healthy'));
    const record = recordOf({ release: releaseIn(late), wave: 2 });
    assert.equal(decide(late, record, { ...seen, statuses }, anytime)?.word, 'back');
  });

  test('hosts that were healthy and are silent stop the next wave, and hosts left behind do not', () => {
    // After its wave has passed, a host that begins late counts as one that is not known to be well.
    const few = planOf([names(20), names(20, 21), names(20, 41)]);
    const of = (statuses: ReadonlyMap<string, RolloutStatus>, opened: number) =>
      decide(
        few,
        recordOf({ release: releaseIn(few), wave: 2 }),
        { statuses, now, times: rolloutTimes },
        { opened, listens: 0 },
      )?.word;
    const all = (unsure: number, each: RolloutStatus) =>
      new Map(
        names(40).map((host, index) => [host, index < unsure ? each : status('healthy')] as const),
      );
    for (const each of [status('watching'), status('healthy', { receivedAt: long })]) {
      assert.equal(of(all(2, each), now - minute), 'next', each.state);
      assert.equal(of(all(3, each), now - minute), undefined, each.state);
      assert.equal(of(all(3, each), long), 'pause', each.state);
    }
  });

  test('a controller that was away gives hosts time to speak, and then pauses', () => {
    assert.equal(word(new Map(), {}, long, now - minute), undefined);
    assert.equal(word(new Map(), {}, long, now - 16 * minute), 'pause');
    // Silent hosts have the time of a watch, others that of three.
    const opened = now - 50 * minute;
    assert.equal(word(new Map(), {}, opened), 'pause');
    const watching = new Map(hosts(1).map((host) => [host, status('watching')]));
    assert.equal(word(watching, {}, opened), undefined);
    assert.equal(word(watching, {}, long), 'pause');
  });

  test('says how many failed, and how many may', () => {
    const statuses = healthy(2);
    for (const host of hosts(2).slice(0, 3)) statuses.set(host, status('rolled back'));
    const record = recordOf({ release: releaseIn(plan), wave: 2 });
    const decision = decide(plan, record, { statuses, now, times: rolloutTimes }, anytime);
    assert.equal(decision?.reason, 'wave 2: 3 of 100 hosts failed (3 %), 2 % allowed');
    statuses.set('web-1', status('refused'));
    assert.equal(
      decide(plan, record, { statuses, now, times: rolloutTimes }, anytime)?.reason,
      'wave 1: 1 of 3 hosts failed (33.3 %), none allowed',
    );
  });

  test('people can stop a rollout whatever is published meanwhile', () => {
    const later = planOf(plan.waves, 8);
    const last = recordOf({ release: releaseIn(plan), wave: 2 });
    for (const each of ['back', 'pause', 'renew'] as const)
      assert.ok(stepFor(each, later, last).ok, each);
    assert.equal(stepFor('next', later, last).ok, false);
    assert.ok(stepFor('start', later, last).ok);
  });
});

/** Hosts as they are, and a controller that sees what they say. */
class Simulation {
  readonly hadIt = new Set<string>();
  readonly #plan: RolloutPlan;
  readonly #isBad: (host: string) => boolean;
  readonly #states = new Map<string, HostState>();
  #record: RolloutRecord | undefined;
  #seconds = 10;

  constructor(plan: RolloutPlan, isBad: (host: string) => boolean) {
    this.#plan = plan;
    this.#isBad = isBad;
    const { head } = plan;
    for (const host of plan.waves.flat())
      this.#states.set(
        host,
        heardOf(
          newState('example', host, this.#now()),
          { newest: head, given: 'root', isLed: true },
          this.#now(),
        ),
      );
    this.#say('start');
  }

  get verdict() {
    return this.#record?.verdict;
  }

  count(holds: (state: HostState) => boolean): number {
    return [...this.#states.values()].filter(holds).length;
  }

  #now() {
    return { boot: 'a', uptime: this.#seconds, at: start + this.#seconds * 1000 };
  }

  #say(word: RolloutWord): void {
    const step = stepFor(word, this.#plan, this.#record);
    assert.ok(step.ok);
    const { verdict, wave, reason } = step.value;
    const sequence = (this.#record?.sequence ?? 0) + 1;
    const release = releaseIn(this.#plan);
    this.#record = recordOf({ sequence, release, verdict, wave, reason });
  }

  /** Lets one minute pass. */
  step(): void {
    this.#seconds += 60;
    const now = this.#now();
    const record = this.#record ?? assert.fail('no record');
    const given = { record, until: start + 86_400_000, given: 'root' };
    for (const [index, wave] of this.#plan.waves.entries())
      for (const host of wave) {
        const state = this.#states.get(host) ?? assert.fail(host);
        const told = followed(instructed(state, given, now), now);
        this.#states.set(host, wentBack(this.#act(host, told, index + 1), now));
      }
    const seen = { statuses: this.#statuses(), now: now.at, times: rolloutTimes };
    const decision = decide(this.#plan, record, seen, { opened: now.at, listens: now.at });
    if (decision !== undefined) this.#say(decision.word);
  }

  #act(host: string, state: HostState, wave: number): HostState {
    const now = this.#now();
    const { head } = this.#plan;
    const verdict = this.#isBad(host)
      ? ({ kind: 'fail', reasons: ['bad'] } as const)
      : ({ kind: 'pass', without: [] } as const);
    if (state.current?.phase === 'watching') return judged(state, verdict, now);
    const known = [state.current?.release, state.ended?.release];
    if (known.some((each) => isRelease(each, head))) return state;
    if (whyClosed(state, head, wave, now) !== undefined) return state;
    this.hadIt.add(host);
    return watching(begun(opened(state, now), head, { watchSeconds: 60 }, now), now);
  }

  #statuses(): ReadonlyMap<string, RolloutStatus> {
    const now = this.#now();
    const shown = { now, hasExpired: false, isChecking: false, isMember: true, from: [] };
    const statuses = new Map<string, RolloutStatus>();
    for (const [host, state] of this.#states) {
      const about = { ...shown, state, isTooNew: false, isBroken: false, problems: [] };
      const { state: word, release, newestGeneration, newestRoot } = responseOf(about);
      const generation = release?.generation ?? null;
      const [newest, root] = [newestGeneration ?? null, newestRoot ?? null];
      statuses.set(host, { state: word, generation, newest, root, receivedAt: now.at });
    }
    return statuses;
  }
}

suite('a rollout over 1,000 hosts', () => {
  const plan = planOf([names(10), names(100, 11), names(890, 111)]);
  const untilOver = (simulation: Simulation) => {
    for (let minutes = 0; minutes < 30; minutes++) simulation.step();
    return simulation;
  };

  test('a release that is bad for all is on the first wave, and on no host more', () => {
    const simulation = untilOver(new Simulation(plan, () => true));
    assert.equal(simulation.verdict, 'back');
    assert.deepEqual([...simulation.hadIt].sort(), [...names(10)].sort());
    assert.equal(
      simulation.count(({ current }) => current !== undefined),
      0,
    );
  });

  test('one that is bad outside the canaries is on the first two waves, and all go back', () => {
    const canaries = new Set(names(10));
    const simulation = untilOver(new Simulation(plan, (host) => !canaries.has(host)));
    assert.equal(simulation.verdict, 'back');
    assert.equal(simulation.hadIt.size, 110);
    assert.equal(
      simulation.count(({ current }) => current !== undefined),
      0,
    );
  });

  test('a good one is on all, and confirmed', () => {
    const simulation = untilOver(new Simulation(plan, () => false));
    assert.equal(simulation.verdict, 'keep');
    assert.equal(simulation.hadIt.size, 1000);
    assert.equal(
      simulation.count(({ confirmed }) => confirmed?.generation === 7),
      1000,
    );
  });

  test('some failures that people allow do not stop it', () => {
    const bad = new Set(['web-20', 'web-30', 'web-200']);
    const simulation = untilOver(new Simulation(plan, (host) => bad.has(host)));
    assert.equal(simulation.verdict, 'keep');
    assert.equal(
      simulation.count(({ confirmed }) => confirmed?.generation === 7),
      997,
    );
  });
});
