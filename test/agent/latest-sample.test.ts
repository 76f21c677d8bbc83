/** Limits that members are at now, and their CPU in the last ticks: what live pages show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatestSample } from '../../src/agent/sampling/latest-sample.ts';
import type { LimitKey } from '../../src/limits/limit.ts';
import { noCounters } from '../../src/limits/limits.ts';
import type { Fault } from '../../src/usage/fault.ts';
import type { Member } from '../../src/usage/member.ts';
import { emptyColumns } from '../../src/usage/tick.ts';

const [one, two] = ['u1001', 'u1002'] as const;
const limits = { 'cpu.limit': 2, 'memory.limit': 1000 };
const entries = (members: readonly Member[]) =>
  new Map(members.map((member) => [member, { limits }] as const));

class Ticks {
  readonly latest = new LatestSample();
  seconds = 0;

  constructor(members: readonly Member[] = [one, two]) {
    this.latest.follow(entries(members));
  }

  /** Has a tick five seconds later. `unread`: members without a reading before. */
  tick(
    cpu: Readonly<Partial<Record<Member, number>>>,
    hits: readonly Member[] = [],
    unread: readonly Member[] = [],
  ): void {
    this.seconds += 5;
    const members = Object.keys(cpu) as Member[];
    const columns = emptyColumns(members.length);
    columns.cpu.set(members.map((member) => cpu[member] ?? 0));
    // All of it is page cache, which fills every limit.
    columns.memory.fill(1000);
    columns.cache.fill(1000);
    const readings = [one, two].map((member) => {
      const before = unread.includes(member) ? undefined : noCounters;
      return { member, before, now: noCounters };
    });
    const faults = hits.map((member): Fault => ({
      member,
      limit: 'cpu.limit',
      severity: 'throttled',
      count: 3,
      inferred: false,
    }));
    const at = this.seconds * 1000;
    this.latest.update({ at, seconds: 5, members, columns }, readings, faults, {
      at,
      monotonic: at,
    });
  }

  hit(member: Member): readonly LimitKey[] {
    return [...(this.latest.limitsHitNow().get(member) ?? [])];
  }
}

test('LatestSample.limitsHitNow() has what was hit in the last minute, and not only in the last tick', () => {
  const ticks = new Ticks();
  ticks.tick({ [one]: 2 }, [one]);
  assert.deepEqual([ticks.hit(one), ticks.hit(two)], [['cpu.limit'], []]);
  for (let count = 0; count < 12; count++) {
    ticks.tick({});
    assert.deepEqual(ticks.hit(one), ['cpu.limit'], `after ${ticks.seconds} s`);
  }
  ticks.tick({});
  assert.deepEqual(ticks.hit(one), []);
});

test('LatestSample.limitsNear() keeps a limit for a minute, and counts no page cache', () => {
  const ticks = new Ticks();
  ticks.tick({ [one]: 1.79, [two]: 1.81 });
  const near = () => [one, two].map((member) => ticks.latest.limitsNear(member));
  assert.deepEqual(near(), [[], ['cpu.limit']]);
  for (let count = 0; count < 12; count++) ticks.tick({ [two]: 1.7 });
  assert.deepEqual(near(), [[], ['cpu.limit']]);
  ticks.tick({ [two]: 1.7 });
  assert.deepEqual(near(), [[], []]);
  ticks.tick({ [two]: 2 });
  ticks.latest.forget(new Set([two]));
  assert.deepEqual(near(), [[], []]);
});

test('RecentCourse.of() has zeros of idle members, and null for what was not measured', () => {
  const ticks = new Ticks([one]);
  ticks.tick({ [one]: 0.5 });
  ticks.latest.follow(entries([one, two]));
  ticks.tick({ [one]: 1 }, [], [two]);
  ticks.tick({ [two]: 0.25 });
  assert.deepEqual(ticks.latest.course.of([one, two, 'u9']), {
    at: [5_000, 10_000, 15_000],
    cpu: [
      [0.5, 1, 0],
      [null, null, 0.25],
      [null, null, null],
    ],
  });
  ticks.latest.forget(new Set([two]));
  ticks.tick({ [two]: 2 });
  assert.deepEqual(ticks.latest.course.of([two]).cpu, [[null, null, null, 2]]);
});

test('RecentCourse.of() has the last 36 ticks, and nothing of former members', () => {
  const ticks = new Ticks();
  for (let count = 1; count <= 40; count++) ticks.tick({ [one]: count });
  const { at, cpu } = ticks.latest.course.of([one]);
  assert.deepEqual([at.length, at[0], at.at(-1)], [36, 25_000, 200_000]);
  assert.deepEqual([cpu[0]?.[0], cpu[0]?.at(-1)], [5, 40]);
  ticks.latest.follow(entries([two]));
  assert.ok(ticks.latest.course.of([one]).cpu[0]?.every((value) => value === null));
});
