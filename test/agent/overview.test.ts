/** The answer to `GET /v1/overview` from a real history, real events and a real record of changes. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { LimitKey } from '../../src/limits/limit.ts';
import { weakSupport } from '../../src/limits/support.ts';
import type { Caller } from '../../src/agent/api/caller.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { OverviewResponse } from '../../src/agent/api/report-api.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerOverview } from '../../src/agent/responses/overview.ts';
import { LatestSample } from '../../src/agent/sampling/latest-sample.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { recordApplied } from '../../src/apply/change-record.ts';
import { latestChanges } from '../../src/apply/read-changes.ts';
import { forgetReport, keepReport } from '../../src/host/kept-reports.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { policyOf } from '../conformance/suite.ts';
import { incidentOf, kinds } from '../usage/incidents.ts';
import { start, value } from '../store/samples.ts';

const [one, two, acme] = [64_501, 64_502, 64_503];
const minute = 60_000;
const policy = `<tenant uid="${one}"><cpu limit="200%"/><memory limit="1GiB"/></tenant>
  <reseller uid="${acme}"><cpu limit="1000%"/><tenant uid="${two}"><cpu limit="100%"/></tenant></reseller>`;
const root: Caller = { kind: 'uid', uid: 0 };

class Stage implements Disposable {
  readonly #state = temporaryDirectory('overview');
  readonly #store = `${this.#state.path}/history`;
  readonly paths = { ...pathsOf('bulkhead'), state: this.#state.path };
  readonly events = new EventStore(this.#store);
  readonly #reader = new HistoryReader(this.#store);
  readonly #index = new MemberIndex(policyOf(policy));
  readonly latest = new LatestSample();
  questions = 0;
  hasHistory = true;

  /** Ten minutes in which one tenant used a core, and the other half of one. */
  constructor() {
    using metrics = new MetricsStore(this.#store);
    for (let at = 1; at <= 10; at++) {
      const columns = emptyColumns(3);
      columns.cpu.set([1, 0.5, 0.5]);
      columns.anonymous.set([1024, 2048, 2048]);
      const members = [`u${one}`, `u${two}`, `r${acme}`] as const;
      value(metrics.add({ at: start + at * minute, seconds: 60, members, columns }));
    }
    this.latest.follow(this.#index.entries);
  }

  ask(caller: Caller, query = `from=${start}&to=${start + 10 * minute}`) {
    const columns = (asked: Parameters<HistoryReader['columns']>[0]) => {
      this.questions++;
      const none = { ok: false, error: { action: 'read', reason: 'there is none yet' } };
      return Promise.resolve(this.hasHistory ? this.#reader.columns(asked) : none);
    };
    const status = {
      policy: { file: 'p.xml', state: 'in force', stateChangedAt: 1, problems: [] },
      tenants: 2,
      resellers: 1,
      placement: { outside: [{ pid: 1, uid: 2, reason: 'x' }], unknown: [] },
    };
    const limits = new Map([
      ['cpu.limit', { level: 'full' }],
      ['memory.limit', weakSupport('partial', [{ code: 'no sums' }], { code: 'use v2' })],
      ['processes.limit', { level: 'none' }],
    ]);
    const agent = {
      memberIndex: this.#index,
      events: this.events,
      kinds,
      latest: this.latest,
      driver: { capabilities: { limits } },
      status: () => status,
      state: this.paths.state,
      history: { askedBy: () => ({ columns }) },
      latestChanges: (count: number) => latestChanges(this.paths, count),
    };
    const reader = new QueryReader(new URLSearchParams(query));
    return answerOverview({ agent, caller, query: reader } as unknown as RequestContext);
  }

  async overview(): Promise<OverviewResponse> {
    const answer = await this.ask(root);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.value;
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    this.events[Symbol.dispose]();
    this.#state.remove();
  }
}

test('the overview has what tenants use, were promised, and what this host does not enforce', async () => {
  using stage = new Stage();
  const found = await stage.overview();
  const known = <T>(values: readonly (T | null)[] = []) => [
    ...new Set(values.filter((each) => each !== null)),
  ];
  assert.deepEqual(known(found.course?.metrics.cpu?.average), [1.5]);
  assert.deepEqual(known(found.course?.metrics.anonymous?.max), [3072]);
  assert.equal(found.course?.seconds.length, 96);
  const { cpu, memory } = found.committed;
  assert.deepEqual([cpu.committed, cpu.unlimitedTenants], [3, 0]);
  assert.equal(cpu.overcommit, 3 / cpu.available);
  assert.deepEqual([memory.committed, memory.unlimitedTenants], [2 ** 30, 1]);
  const limit = 'memory.limit' as const;
  assert.deepEqual(found.weak, [
    { limit, ...weakSupport('partial', [{ code: 'no sums' }], { code: 'use v2' }), tenants: 1 },
  ]);
  assert.deepEqual(
    [found.outside, found.isOutsideUnknown, found.policy.state],
    [1, false, 'in force'],
  );
});

test('the overview has what verify found, until a policy is applied, and nothing of a damaged report', async () => {
  using stage = new Stage();
  assert.equal((await stage.overview()).drift, undefined);
  const report = { differences: 1, lines: ['alice: memory.max is 2 GiB'] };
  assert.ok(keepReport(stage.paths, 'verify', report).ok);
  const { at, ...found } = (await stage.overview()).drift ?? { at: 0 };
  assert.ok(at > 0);
  assert.deepEqual(found, report);
  writeFileSync(`${stage.paths.state}/reports/verify.json`, '{"version":1,"at":1');
  assert.equal((await stage.overview()).drift, undefined);
  for (const wrong of [
    {},
    { differences: 1 },
    { ...report, lines: [1] },
    { ...report, lines: 'x' },
  ]) {
    assert.ok(keepReport(stage.paths, 'verify', wrong).ok);
    assert.equal((await stage.overview()).drift, undefined);
  }
  assert.ok(keepReport(stage.paths, 'verify', report).ok);
  forgetReport(stage.paths, 'verify');
  forgetReport(stage.paths, 'verify');
  assert.equal((await stage.overview()).drift, undefined);
});

test('the overview counts tenants at a limit and near one', async () => {
  using stage = new Stage();
  const columns = emptyColumns(2);
  columns.cpu.set([2, 0.95]);
  const members = [`u${one}`, `u${two}`] as const;
  const readings = members.map((member) => ({ member, before: noCounters, now: noCounters }));
  const fault = { limit: 'cpu.limit', severity: 'throttled', count: 1, inferred: false } as const;
  const faults = [`u${one}` as const, `r${acme}` as const].map((member) => ({ ...fault, member }));
  const moment = { at: 1, monotonic: 1 };
  stage.latest.update({ at: 1, seconds: 5, members, columns }, readings, faults, moment);
  const { atLimit, nearLimit } = await stage.overview();
  assert.deepEqual([atLimit, nearLimit], [1, 1]);
});

test('the overview counts the incidents of the period, and has the worst', async () => {
  using stage = new Stage();
  const had = (
    at: number,
    severity: 'observed' | 'throttled' | 'refused' | 'killed',
    limit: LimitKey = 'cpu.limit',
  ) => {
    const {
      id: _id,
      snapshots: _snapshots,
      ...incident
    } = incidentOf({ member: `u${one}`, severity, limit });
    const begin = start + at * minute;
    value(stage.events.open({ ...incident, begin, end: begin + 1 }));
  };
  had(-5, 'killed');
  for (const at of [1, 1, 2, 3, 9]) had(at, 'throttled');
  had(4, 'killed');
  had(5, 'refused');
  had(6, 'observed');
  // A rule that only watches.
  had(7, 'throttled', 'reach.mail');
  had(11, 'killed');
  const { incidents, incidentCounts, worst } = await stage.overview();
  assert.deepEqual(incidents, { observed: 2, throttled: 5, refused: 1, killed: 1 });
  assert.deepEqual([incidentCounts.length, incidentCounts[2], incidentCounts[21]], [24, 2, 1]);
  assert.equal(
    incidentCounts.reduce((sum, each) => sum + each, 0),
    7,
  );
  assert.deepEqual(
    worst.map(({ severity, begin }) => [severity, (begin - start) / minute]),
    [
      ['killed', 4],
      ['refused', 5],
      ['throttled', 9],
      ['throttled', 3],
      ['throttled', 2],
    ],
  );
});

test('the overview asks the history once for a period, and again if it failed', async () => {
  using stage = new Stage();
  stage.hasHistory = false;
  assert.equal((await stage.overview()).course, undefined);
  stage.hasHistory = true;
  const [first, second] = await Promise.all([stage.overview(), stage.overview()]);
  assert.deepEqual(first.course, second.course);
  assert.notEqual(first.course, undefined);
  assert.equal(stage.questions, 2);
});

test('the overview lists the latest changes, and waits for no command that writes the record', async () => {
  using stage = new Stage();
  assert.deepEqual((await stage.overview()).changes, []);
  for (let count = 1; count <= 7; count++) {
    const text = `<bulkhead version="1"><tenant user="bob"><cpu limit="${count}%"/></tenant></bulkhead>`;
    const applied = {
      file: '/p.xml',
      text,
      way: 'set',
      problems: [],
      outcome: 'in force',
    } as const;
    value(recordApplied(stage.paths, applied));
  }
  const { changes = [] } = await stage.overview();
  assert.deepEqual(
    changes.map(({ number }) => number),
    [7, 6, 5, 4, 3],
  );
  const [last] = changes;
  assert.deepEqual([last?.summary, last?.valueCount], [['tenant "bob": cpu.limit 6% → 7%'], 1]);
  const locked = lockFile(`${stage.paths.state}/history/changes.lock`, { waitMs: 0 });
  assert.ok(locked.ok);
  using _lock = locked.value;
  assert.equal((await stage.overview()).changes, undefined);
});

test('only administrators get the overview', async () => {
  using stage = new Stage();
  const sessionOf = (uid: number, byUid: number): Caller => ({
    kind: 'session',
    id: 'x',
    uid,
    byUid,
    readOnly: false,
  });
  const callers: readonly (readonly [Caller, number])[] = [
    [{ kind: 'token' }, 200],
    [sessionOf(0, 0), 200],
    [sessionOf(one, 0), 403],
    [sessionOf(acme, acme), 403],
    [{ kind: 'uid', uid: acme }, 403],
    [{ kind: 'jailed', uid: 0 }, 403],
  ];
  for (const [caller, status] of callers) {
    const answer = await stage.ask(caller);
    assert.equal(answer.ok ? 200 : answer.error.status, status, JSON.stringify(caller));
  }
});
