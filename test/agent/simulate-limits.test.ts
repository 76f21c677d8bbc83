/** The findings of `simulate` in random histories, compared with one question for each member, metric and limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { simulate } from '../../src/agent/policy/simulate-limits.ts';
import type { SimulatedLimit } from '../../src/agent/policy/simulate-response.ts';
import { MemberIndex, type MemberEntry } from '../../src/agent/sampling/member-index.ts';
import type { LimitKey } from '../../src/limits/limit.ts';
import { attributes } from '../../src/limits/limits.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import type { HistoryView } from '../../src/store/history/history.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { peakKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { isAboveLimit, replayLimit, replayMetrics, replayRules } from '../../src/usage/simulate.ts';
import { askStores } from '../../testing/ask-stores.ts';
import { policyOf } from '../conformance/suite.ts';
import {
  day,
  done,
  hour,
  Place,
  rollUpAll,
  settings,
  start,
  tickOf,
  value,
} from '../store/samples.ts';

const uids = [64_511, 64_512, 64_513, 64_514];
const members: readonly Member[] = [...uids.map((uid): Member => `u${uid}`), 'r64515'];

interface Case {
  /** Half hours; a member that is absent was idle. */
  readonly ticks: readonly (readonly (Partial<Record<MetricKey, number>> | undefined)[])[];
  readonly now: readonly string[];
  readonly other: readonly (string | undefined)[];
  readonly faults: readonly (readonly [member: number, limit: LimitKey])[];
  readonly isPruned: boolean;
  /** Whether database servers were asked. */
  readonly asksDatabases: boolean;
  /** The first tick in which they were; absent: 0. */
  readonly asksFrom?: number;
}

const mib = 2 ** 20;
const memory = fc.record({
  memory: fc.integer({ min: 1, max: 9 }).map((each) => each * mib),
  memoryPeak: fc.integer({ min: 1, max: 12 }).map((each) => each * mib),
  anonymous: fc.integer({ min: 0, max: 5 }).map((each) => each * mib),
  anonymousPeak: fc.integer({ min: 0, max: 7 }).map((each) => each * mib),
});
const others = fc.record({
  cpu: fc.double({ min: 0, max: 2, noNaN: true }),
  threads: fc.integer({ min: 1, max: 20 }),
  threadsPeak: fc.integer({ min: 1, max: 30 }),
  read: fc.double({ min: 0, max: 9 * mib, noNaN: true }),
});
const databases = fc.record({ databaseCpu: fc.double({ min: 0, max: 1, noNaN: true }) });
const use = fc
  .tuple(memory, others, databases)
  .map(([one, two, three]) => ({ ...one, ...two, ...three }));
const perMember = <T>(each: fc.Arbitrary<T>) =>
  fc.array(each, { minLength: members.length, maxLength: members.length });
const limits = fc
  .tuple(
    fc.constantFrom('', '<cpu limit="40%"/>', '<cpu limit="120%"/>', '<cpu limit="unlimited"/>'),
    fc.constantFrom('', '<memory limit="4MiB"/>', '<memory limit="8MiB"/>'),
    fc.constantFrom('', '<processes limit="9"/>', '<processes limit="25"/>'),
    fc.constantFrom('', '<io read="2MiB/s"/>', '<io write="2MiB/s"/>'),
    fc.constantFrom('', '<entries limit="5"/>', '<database cpu="30%"/>'),
  )
  .map((all) => all.join(''));
const cases: fc.Arbitrary<Case> = fc.record({
  ticks: fc.array(perMember(fc.option(use, { nil: undefined })), {
    minLength: 1,
    maxLength: 120,
    // Half of them are longer than the two days for which ticks are read.
    size: 'max',
  }),
  now: perMember(limits),
  other: perMember(fc.option(limits, { nil: undefined, freq: 8 })),
  faults: fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: members.length - 1 }),
      fc.constantFrom<LimitKey>('cpu.limit', 'memory.limit', 'processes.limit'),
    ),
    { maxLength: 4 },
  ),
  isPruned: fc.boolean(),
  asksDatabases: fc.boolean(),
});

function indexOf(all: readonly (string | undefined)[]): MemberIndex {
  const elements = all.flatMap((text, index) => {
    if (text === undefined) return [];
    const uid = uids[index];
    return uid === undefined
      ? [`<reseller uid="64515">${text}</reseller>`]
      : [`<tenant uid="${uid}">${text}</tenant>`];
  });
  return new MemberIndex(policyOf(elements.join('')));
}

class Stage implements Disposable {
  readonly reader: HistoryReader;
  readonly events: EventStore;
  readonly #place = new Place();
  readonly end: number;

  constructor({ ticks, faults, isPruned, asksDatabases, asksFrom = 0 }: Case) {
    this.events = new EventStore(this.#place.directory);
    using metrics = new MetricsStore(this.#place.directory);
    for (const [index, tick] of ticks.entries()) {
      const at = start + ((index + 1) * hour) / 2;
      const own = tick.flatMap((each, member) => (each ? [[members[member], each] as const] : []));
      const all = tickOf(at, Object.fromEntries(own), 1_800);
      const known = asksDatabases && index >= asksFrom ? (['databaseCpu'] as const) : [];
      assert.deepEqual(metrics.add({ ...all, known }), done);
      rollUpAll(metrics, at);
    }
    this.end = start + Math.ceil(ticks.length / 2) * hour;
    rollUpAll(metrics, this.end + 1);
    if (isPruned)
      for (let call = 0; call < 50; call++)
        metrics.prune(this.end + day, { ...settings, detailMilliseconds: day });
    for (const [member, limit] of faults) {
      const fault = {
        member: members[member] ?? 'u1',
        limit,
        severity: 'throttled',
        count: 1,
      } as const;
      value(this.events.addFaults(start + hour / 4, [{ ...fault, inferred: false }]));
    }
    this.reader = new HistoryReader(this.#place.directory);
  }

  get view(): HistoryView {
    const { reader } = this;
    return {
      maxima: (query) => Promise.resolve(reader.maxima(query)),
      replays: (query) => Promise.resolve(reader.replays(query)),
      columns: (query) => Promise.resolve(reader.columns(query)),
    } as HistoryView;
  }

  [Symbol.dispose](): void {
    this.reader[Symbol.dispose]();
    this.events[Symbol.dispose]();
    this.#place[Symbol.dispose]();
  }
}

/** Answers from whole distributions and single series. */
class Plainly {
  readonly #stage: Stage;
  readonly #now: MemberIndex;
  readonly #then: MemberIndex;
  readonly #period: { readonly from: number; readonly to: number };

  constructor(stage: Stage, now: MemberIndex, then: MemberIndex) {
    this.#stage = stage;
    this.#now = now;
    this.#then = then;
    this.#period = { from: start, to: stage.end };
  }

  limits(): { readonly tenants: number; readonly limits: readonly SimulatedLimit[] } {
    const changed = [...attributes.keys()].filter((limit) =>
      [...this.#now.entries.values()].some((entry) => this.#differs(entry, limit)),
    );
    const metrics = replayMetrics(changed.map((limit) => replayRules[limit]));
    const asked = metrics.flatMap((metric) => [metric, peakKeys.get(metric) ?? metric]);
    const { rows } = value(this.#stage.reader.usage({ ...this.#period, metrics: asked }));
    const faults = value(this.#stage.events.faultCounts(this.#period));
    const seen = [...this.#now.entries.values()].filter(
      ({ who }) => rows.has(who.member) || faults.has(who.member),
    );
    const found = changed.flatMap((limit) =>
      seen
        .filter((entry) => this.#differs(entry, limit))
        .flatMap((entry) => {
          const happened = faults.get(entry.who.member)?.[limit] ?? 0;
          return this.#limit(entry, limit, happened) ?? [];
        }),
    );
    return { tenants: seen.length, limits: found };
  }

  #differs = ({ who, limits }: MemberEntry, limit: LimitKey) =>
    limits[limit] !== this.#then.entries.get(who.member)?.limits[limit];

  #limit(entry: MemberEntry, limit: LimitKey, happened: number): SimulatedLimit | undefined {
    const { member, name, kind } = entry.who;
    const [before, other] = [entry.limits[limit], this.#then.entries.get(member)];
    const after = other?.limits[limit];
    const common = {
      member,
      name,
      kind,
      limit,
      before: entry.limitTexts[limit] ?? 'unlimited',
      after: other === undefined ? 'not in the policy' : (other.limitTexts[limit] ?? 'unlimited'),
      happened,
    };
    if (after === undefined || (before !== undefined && after > before))
      return happened > 0 ? { ...common, effect: 'less, unknown' } : undefined;
    const rules = replayRules[limit];
    if (rules === undefined || this.#isUnknown(rules)) return { ...common, effect: 'unknown' };
    for (const { metric, effect } of rules) {
      if (!isAboveLimit(this.#max(member, metric), after)) continue;
      const { secondsMax, ...rest } = this.#replay(member, metric, after);
      const most = happened > 0 && before !== undefined ? {} : { secondsMax };
      return { ...common, effect, ...rest, ...most };
    }
    return happened > 0 ? { ...common, effect: 'unknown' } : undefined;
  }

  #isUnknown(rules: NonNullable<(typeof replayRules)[LimitKey]>): boolean {
    const metrics = rules.map(({ metric }) => metric);
    return value(this.#stage.reader.usage({ ...this.#period, metrics })).unknown.length > 0;
  }

  #max(member: Member, metric: MetricKey): number {
    const peak = peakKeys.get(metric) ?? metric;
    const asked = { ...this.#period, members: [member], metrics: [metric, peak] };
    const own = value(this.#stage.reader.usage(asked)).rows.get(member);
    return Math.max(own?.[metric]?.max ?? 0, own?.[peak]?.max ?? 0);
  }

  #replay(member: Member, metric: MetricKey, limit: number) {
    const { from, to } = this.#period;
    const asked = { from, to, member, points: (to - from) / hour };
    const own = value(this.#stage.reader.series({ ...asked, metric }));
    const peak = peakKeys.get(metric) ?? metric;
    const peaks = value(this.#stage.reader.series({ ...asked, metric: peak }));
    const maxima = own.maxima.map((max, part) => {
      const other = peaks.maxima[part] ?? null;
      return max === null || other === null ? NaN : Math.max(max, other);
    });
    const averages = own.averages.map((each) => each ?? NaN);
    return replayLimit({ averages, maxima, seconds: own.seconds }, limit);
  }
}

test('simulate() finds what plain questions would find', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      using stage = new Stage(each);
      const [memberIndex, after] = [indexOf(each.now), indexOf(each.other)];
      const { events, view: history } = stage;
      const period = { from: start, to: stage.end };
      const asked = { period, after, tenant: undefined, onProgress: () => undefined };
      const found = value(await simulate(askStores({ memberIndex, events, history }), asked));
      const { tenants, limits: own, problems } = found;
      const plain = new Plainly(stage, memberIndex, after).limits();
      assert.deepEqual({ tenants, limits: own }, plain);
      const isAll = found.partly?.every(({ measuredSeconds }) => measuredSeconds > 0) !== false;
      assert.equal(isAll, each.asksDatabases || found.partly === undefined);
      assert.deepEqual(problems, []);
      const first = own[0];
      if (first === undefined) return;
      const alone = await simulate(askStores({ memberIndex, events, history }), {
        ...asked,
        tenant: first.member,
      });
      assert.deepEqual(
        value(alone).limits,
        own.filter(({ member }) => member === first.member),
      );
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test('simulate() says which limits are known for a part of the time only', async () => {
  const use = { cpu: 0.1, databaseCpu: 0.2 };
  const asked = {
    ticks: Array.from({ length: 8 }, () => [use]),
    now: ['<database cpu="90%"/><cpu limit="90%"/>'],
    other: ['<database cpu="10%"/><cpu limit="80%"/>'],
    faults: [],
    isPruned: false,
    asksDatabases: true,
  };
  for (const [asksFrom, partly] of [
    [0, undefined],
    [6, [{ limit: 'database.cpu', measuredSeconds: 3_600 }]],
  ] as const) {
    using stage = new Stage({ ...asked, asksFrom });
    const [memberIndex, after] = [indexOf(asked.now), indexOf(asked.other)];
    const { events, view: history } = stage;
    const period = { from: start, to: stage.end };
    const more = { period, after, tenant: undefined, onProgress: () => undefined };
    const found = value(await simulate(askStores({ memberIndex, events, history }), more));
    assert.deepEqual(found.partly, partly);
    assert.equal(found.measuredSeconds, 8 * 1_800);
    assert.deepEqual(
      found.limits.map(({ limit, measuredSeconds }) => [limit, measuredSeconds]),
      [['database.cpu', partly === undefined ? 8 * 1_800 : 3_600]],
    );
  }
});

test('simulate() adds what servers used for tenants to whose CPU limit it counts', async () => {
  const counts = '<cpu limit="90%"/><database counts="yes"/>';
  const ask = async (each: Pick<Case, 'now' | 'other'>, asksDatabases = true, asksFrom = 0) => {
    const ticks = Array.from({ length: 8 }, () => [{ cpu: 0.4, databaseCpu: 0.3 }]);
    using stage = new Stage({
      ticks,
      faults: [],
      isPruned: false,
      asksDatabases,
      asksFrom,
      ...each,
    });
    const { events, view: history } = stage;
    const period = { from: start, to: stage.end };
    const after = indexOf(each.other);
    const memberIndex = indexOf(each.now);
    const found = value(
      await simulate(askStores({ memberIndex, events, history }), {
        period,
        after,
        tenant: undefined,
        onProgress: () => undefined,
      }),
    );
    return {
      partly: found.partly,
      limits: found.limits.map(({ member: _1, name: _2, kind: _3, ...rest }) => rest),
    };
  };
  const all = 8 * 1_800;
  const above = (seconds: number) => ({
    limit: 'cpu.limit',
    before: '90%',
    happened: 0,
    effect: 'slowed',
    secondsMin: seconds,
    secondsMax: seconds,
    stretches: 1,
    measuredSeconds: seconds,
  });
  // 0.4 cores of programs and 0.3 of servers are more than 0.6, and no more than 0.8.
  const sixty = counts.replace('90%', '60%');
  assert.deepEqual(await ask({ now: [counts], other: [sixty] }), {
    partly: undefined,
    limits: [{ ...above(all), after: '60%' }],
  });
  assert.deepEqual(
    (await ask({ now: [counts], other: [counts.replace('90%', '80%')] })).limits,
    [],
  );
  const without = '<cpu limit="60%"/>';
  assert.deepEqual((await ask({ now: ['<cpu limit="90%"/>'], other: [without] })).limits, []);
  // The same limit, toward which it counts from now on, and does not any more.
  const starts = await ask({ now: [without], other: [sixty] });
  assert.deepEqual(starts.limits, [{ ...above(all), before: '60%', after: '60%' }]);
  assert.deepEqual((await ask({ now: [sixty], other: [without] })).limits, []);
  // Servers were asked later, or never.
  assert.deepEqual(await ask({ now: [counts], other: [sixty] }, true, 4), {
    partly: [{ limit: 'cpu.limit', measuredSeconds: all / 2 }],
    limits: [{ ...above(all / 2), after: '60%' }],
  });
  assert.deepEqual(await ask({ now: [counts], other: [sixty] }, false), {
    partly: undefined,
    limits: [],
  });
});
