/** The answer to `GET /v1/usage` from a real history and real events, without the rest of the agent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeriesResponse, UsageResponse } from '../../src/agent/api/usage-api.ts';
import type { Caller } from '../../src/agent/api/caller.ts';
import type { SeriesColumnsResponse } from '../../src/agent/api/report-api.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerMaxima, answerReplay } from '../../src/agent/responses/replay.ts';
import { answerSeries } from '../../src/agent/responses/series.ts';
import { answerUsage } from '../../src/agent/responses/usage.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { policyOf } from '../conformance/suite.ts';
import { Place, start, value } from '../store/samples.ts';

const [busy, idle] = [64_501, 64_502];
const reseller = 64_503;
const memberIndex = new MemberIndex(
  policyOf(
    `<tenant uid="${busy}"><cpu limit="50%"/></tenant>
     <reseller uid="${reseller}"><tenant uid="${idle}"/></reseller>`,
  ),
);

const root: Caller = { kind: 'uid', uid: 0 };

class Stage implements Disposable {
  questions = 0;
  /** The CPU limit of now, if it is lowered. */
  cpuLimitNow: number | undefined;
  /** The time at which all accounts got their uids. */
  beginning = 0;
  readonly #place = new Place();
  readonly #events = new EventStore(this.#place.directory);
  readonly #reader = new HistoryReader(this.#place.directory);

  /** Ten minutes, in which only one tenant did anything, and hit a limit each minute. */
  constructor() {
    using metrics = new MetricsStore(this.#place.directory);
    const member = tenantMember(busy);
    for (let minute = 1; minute <= 10; minute++) {
      const at = start + minute * 60_000;
      const columns = emptyColumns(1);
      columns.cpu.fill(0.5);
      columns.threads.fill(minute);
      columns.threadsPeak.fill(2 * minute);
      value(metrics.add({ at, seconds: 60, members: [member], columns }));
      const fault = { member, limit: 'cpu.limit', severity: 'throttled', count: 1 } as const;
      value(this.#events.addFaults(at - 1, [{ ...fault, inferred: false }]));
    }
  }

  async ask(query: string, countedSince?: number): Promise<UsageResponse> {
    const answer = await answerUsage(this.#request(query, countedSince));
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.value;
  }

  async series(query: string): Promise<SeriesResponse> {
    const answer = await answerSeries(this.#request(query));
    assert.ok(answer.ok && 'points' in answer.value, JSON.stringify(answer));
    return answer.value;
  }

  /** Returns columns for a caller, and counts the questions to the history. */
  async columns(query: string, caller: Caller = root): Promise<SeriesColumnsResponse> {
    this.questions = 0;
    const answer = await answerSeries({ ...this.#request(query), caller });
    assert.ok(answer.ok && 'metrics' in answer.value, JSON.stringify(answer));
    return answer.value;
  }

  async refusal(query: string, caller: Caller): Promise<number> {
    const answer = await answerSeries({ ...this.#request(query), caller });
    return answer.ok ? 200 : answer.error.status;
  }

  replay(query: string, caller: Caller = root): ReturnType<typeof answerReplay> {
    return answerReplay({ ...this.#request(query), caller });
  }

  maxima(query: string, caller: Caller = root): ReturnType<typeof answerMaxima> {
    return answerMaxima({ ...this.#request(query), caller });
  }

  #request(query: string, countedSince?: number): RequestContext {
    const agent = {
      memberIndex,
      events: this.#events,
      driver: undefined,
      membership: { beginningOf: () => this.beginning },
      mailOf: () => undefined,
      sentByWebOf: () => undefined,
      cpuLimitNowOf: () => this.cpuLimitNow,
      databaseUseOf: () => undefined,
      networkUseOf: () => undefined,
      entriesCountedSince: () => countedSince,
    };
    const history = {
      usage: (asked: Parameters<HistoryReader['usage']>[0]) =>
        Promise.resolve(this.#reader.usage(asked)),
      maxima: (asked: Parameters<HistoryReader['maxima']>[0]) =>
        Promise.resolve(this.#reader.maxima(asked)),
      replays: (asked: Parameters<HistoryReader['replays']>[0]) =>
        Promise.resolve(this.#reader.replays(asked)),
      columns: (asked: Parameters<HistoryReader['columns']>[0]) => {
        this.questions++;
        return Promise.resolve(this.#reader.columns(asked));
      },
    };
    const caller = root;
    const reader = new QueryReader(new URLSearchParams(query));
    return { agent, history, caller, query: reader } as unknown as RequestContext;
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    this.#events[Symbol.dispose]();
    this.#place[Symbol.dispose]();
  }
}

const period = (from: number, to: number) =>
  `from=${start + from * 60_000}&to=${start + to * 60_000}`;

test('a tenant that did nothing used 0, unless nothing was measured', async () => {
  using stage = new Stage();
  const used = await stage.ask(`${period(0, 10)}&tenant=${idle}&metric=cpu&metric=memory`);
  assert.equal(used.measuredSeconds, 600);
  const nothing = { average: 0, p95: 0, max: 0 };
  assert.deepEqual(used.rows[0]?.metrics, { cpu: nothing, memory: nothing });
  const before = await stage.ask(`${period(-20, -10)}&tenant=${idle}`);
  assert.equal(before.measuredSeconds, 0);
  assert.deepEqual(before.rows[0]?.metrics, {});
  const all = await stage.ask(`${period(0, 10)}&metric=cpu`);
  assert.deepEqual(
    all.rows.map(({ uid, metrics }) => [uid, (metrics.cpu?.average ?? 0) > 0.49]),
    [[busy, true]],
  );
});

test('a series has maxima if they are asked for, which count peaks between ticks', async () => {
  using stage = new Stage();
  const asked = `${period(-5, 10)}&tenant=${busy}&metric=threads&points=3`;
  const plain = await stage.series(asked);
  assert.deepEqual([plain.points, plain.maxima], [[null, 3, 8], undefined]);
  assert.deepEqual((await stage.series(`${asked}&maxima=1`)).maxima, [null, 10, 20]);
  const idleOne = await stage.series(`${period(0, 10)}&tenant=${idle}&points=2&maxima=1`);
  assert.deepEqual(
    [idleOne.points, idleOne.maxima],
    [
      [0, 0],
      [0, 0],
    ],
  );
});

test('many members are replayed at once, each against its own limit, and only for root', async () => {
  using stage = new Stage();
  const asked = `${period(0, 10)}&metric=threads&points=10`;
  const both = `${asked}&tenant=${busy}&above=15.5&tenant=${idle}&above=0`;
  const answer = await stage.replay(both);
  assert.ok(answer.ok);
  const { rows } = answer.value;
  // Of the peaks 2, 4, … 20, three are above 15.5, and follow each other.
  assert.deepEqual(
    rows.map(({ member, stretches, measuredSeconds }) => [member, stretches, measuredSeconds]),
    [
      [`u${busy}`, 1, 600],
      [`u${idle}`, 0, 600],
    ],
  );
  for (const [query, uid, status] of [
    [both, busy, 403],
    [`${asked}&tenant=${busy}`, 0, 400],
    [`${both}&above=1`, 0, 400],
    [`${asked}&tenant=${busy}&above=-1`, 0, 400],
    [`${asked}&tenant=${busy}&above=x`, 0, 400],
    [`${asked}&tenant=nobody&above=1`, 0, 404],
  ] as const) {
    const refused = await stage.replay(query, { kind: 'uid', uid });
    assert.equal(!refused.ok && refused.error.status, status, query);
  }
});

test('maxima equal the usage, with faults if they are asked for, and only for root', async () => {
  using stage = new Stage();
  const asked = `${period(0, 10)}&metric=threads&metric=cpu&metric=memory`;
  const all = value(await stage.maxima(asked));
  const metrics = { cpu: 0.5, memory: 0, threads: 20 };
  assert.deepEqual(all.rows, [{ member: `u${busy}`, metrics }]);
  assert.deepEqual([all.measuredSeconds, all.metrics], [600, ['cpu', 'memory', 'threads']]);
  const named = value(await stage.maxima(`${asked}&tenant=${idle}&faults=1`));
  const nothing = { cpu: 0, memory: 0, threads: 0 };
  assert.deepEqual(named.rows, [{ member: `u${idle}`, metrics: nothing, faults: {} }]);
  const counted = value(await stage.maxima(`${period(0, 10)}&metric=cpu&faults=1`));
  assert.deepEqual(counted.rows[0]?.faults, { 'cpu.limit': 10 });
  const before = value(await stage.maxima(`${period(-20, -10)}&metric=cpu&tenant=${busy}`));
  assert.deepEqual([before.metrics, before.rows], [[], [{ member: `u${busy}`, metrics: {} }]]);
  const refused = await stage.maxima(asked, { kind: 'uid', uid: busy });
  assert.equal(!refused.ok && refused.error.status, 403);
});

test('several metrics are columns of one question, with maxima and the limit of now', async () => {
  using stage = new Stage();
  const asked = `${period(-5, 10)}&tenant=${busy}&points=3`;
  const both = await stage.columns(`${asked}&metric=threads&metric=cpu`);
  assert.equal(stage.questions, 1);
  assert.deepEqual(both.seconds, [0, 300, 300]);
  assert.deepEqual(both.metrics, {
    cpu: { average: [null, 0.5, 0.5], max: [null, 0.5, 0.5], limitNow: 0.5 },
    threads: { average: [null, 3, 8], max: [null, 10, 20] },
  });
  assert.equal(both.who?.uid, busy);
  const one = await stage.columns(`${asked}&metric=cpu&columns=1`);
  assert.deepEqual(one.metrics, { cpu: both.metrics.cpu });
  assert.equal(await stage.refusal(`${asked}&metric=cpu&metric=nonsense`, root), 400);
});

test('tenant=* is everybody for administrators, and for others no more than their own', async () => {
  using stage = new Stage();
  const asked = `${period(0, 10)}&tenant=*&metric=cpu&points=2`;
  const sum = { cpu: { average: [0.5, 0.5], max: [0.5, 0.5] } };
  const nothing = { cpu: { average: [0, 0], max: [0, 0] } };
  for (const caller of [root, { kind: 'token' } as const]) {
    const all = await stage.columns(asked, caller);
    assert.deepEqual([all.who, all.metrics], [undefined, sum]);
  }
  const of = async (caller: Caller) => {
    const { who, metrics } = await stage.columns(asked, caller);
    return [who?.member, metrics];
  };
  const limited = { cpu: { ...sum.cpu, limitNow: 0.5 } };
  assert.deepEqual(await of({ kind: 'uid', uid: busy }), [`u${busy}`, limited]);
  assert.deepEqual(await of({ kind: 'jailed', uid: busy }), [`u${busy}`, limited]);
  assert.deepEqual(await of({ kind: 'uid', uid: reseller }), [`r${reseller}`, nothing]);
  assert.equal(await stage.refusal(asked, { kind: 'uid', uid: 1 }), 403);
  assert.equal(await stage.refusal(asked, { kind: 'jailed', uid: reseller }), 403);
  const other = `${period(0, 10)}&tenant=${busy}&metric=cpu&metric=memory`;
  for (const uid of [idle, reseller])
    assert.equal(await stage.refusal(other, { kind: 'uid', uid }), 404);
});

test('columns have nothing from before the account had its uid', async () => {
  using stage = new Stage();
  stage.beginning = start + 5 * 60_000;
  const asked = `${period(0, 10)}&tenant=${busy}&metric=cpu&metric=threads&points=2`;
  const { seconds, metrics } = await stage.columns(asked, { kind: 'uid', uid: busy });
  assert.deepEqual(seconds, [0, 300]);
  assert.deepEqual(metrics.threads, { average: [null, 8], max: [null, 20] });
  assert.deepEqual((await stage.columns(asked)).seconds, [300, 300]);
});

test('parts of a period have its faults together', async () => {
  using stage = new Stage();
  const faults = async (query: string) =>
    (await stage.ask(`${query}&tenant=${busy}`)).rows[0]?.faults['cpu.limit'] ?? 0;
  const parts = [
    await faults(`${period(0, 3)}&part=first`),
    await faults(`${period(3, 6)}&part=middle`),
    await faults(`${period(6, 10)}&part=last`),
  ];
  assert.equal(await faults(period(0, 10)), 10);
  assert.deepEqual(parts, [5, 5, 0]);
});

test('requests are counted only if they were from the beginning of the period', async () => {
  using stage = new Stage();
  const counted = async (since: number | undefined) =>
    (await stage.ask(period(0, 10), since)).entriesCounted;
  assert.equal(await counted(start), true);
  assert.equal(await counted(start + 1), undefined);
  assert.equal(await counted(undefined), undefined);
});

test('limits are those of the policy while database servers use a part of the CPU limit', async () => {
  using stage = new Stage();
  const asked = `${period(0, 10)}&tenant=${busy}&metric=cpu`;
  const [whole, column] = [
    await stage.ask(asked),
    await stage.columns(`${asked}&points=2&columns=1`),
  ];
  stage.cpuLimitNow = 0.3;
  const lowered = await stage.ask(asked);
  assert.deepEqual(
    lowered.rows.map(({ cpuLimitNow, ...row }) => [cpuLimitNow, row]),
    whole.rows.map((row) => [0.3, row]),
  );
  assert.deepEqual(await stage.columns(`${asked}&points=2&columns=1`), column);
  assert.equal(column.metrics.cpu?.limitNow, 0.5);
});
