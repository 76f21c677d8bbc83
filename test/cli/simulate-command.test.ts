/** `bulkhead simulate`, run as a program against generated responses. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TopRow } from '../../src/agent/api/api.ts';
import type { MaximaResponse } from '../../src/agent/api/usage-api.ts';
import type { SimulateJson } from '../../src/cli/commands/json.ts';
import { PolicyWorker } from '../../src/agent/policy/policy-worker.ts';
import type { PolicyJob } from '../../src/agent/policy/policy-job.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { LatestSample } from '../../src/agent/sampling/latest-sample.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { whoIs } from './agent-server.ts';
import { askingProgram, options, type Ran } from './asking-program.ts';

const asking = askingProgram('bulkhead-simulate-command');

const simulate = (...args: readonly string[]): Promise<Ran> => asking.run(['simulate', ...args]);

interface Row extends Pick<TopRow, 'member' | 'limits' | 'limitTexts' | 'faults'> {
  readonly metrics: MaximaResponse['rows'][number]['metrics'];
}

/** Tenants with uids from 10001: one above the new CPU limit, one below, one that was held, one that is gone. */
const rows: readonly Row[] = [0.9, 0.2, 1, 0.9].map((cpu, index) => ({
  ...whoIs(index),
  metrics: { cpu, threads: 4 },
  limits: { 'cpu.limit': 1, 'processes.limit': 100 },
  limitTexts: { 'cpu.limit': '100%', 'processes.limit': '100' },
  faults: index === 2 ? { 'cpu.limit': 7 } : {},
}));

/** Above the new limit, and held back by the present one. */
const held = rows.slice(0, 1).map((each) => ({ ...each, faults: { 'cpu.limit': 3 } }));

/** The answers to questions about metrics, of which this host measures two. */
const maxima =
  (all: readonly Row[], measuredSeconds = 7200) =>
  (query: URLSearchParams): MaximaResponse => ({
    from: 0,
    to: 1,
    measuredSeconds,
    metrics: (['cpu', 'threads'] as const).filter((each) => query.getAll('metric').includes(each)),
    rows: all.map(({ member, metrics, faults }) => ({
      member,
      metrics,
      ...(query.get('faults') === '1' && { faults }),
    })),
  });

/** The last tick, in which everybody was idle. */
const top = (all: readonly Row[]) => ({
  at: 1,
  durationSeconds: 1,
  host: { cores: 4, memoryBytes: 2 ** 33 },
  rows: all.map((each) => ({ ...each, faults: {} })),
  idle: 0,
});

/** The answer to a question about members: each was above its limit for half an hour. */
function replay(query: URLSearchParams) {
  const times = { secondsMin: 1800, secondsMax: 3600, stretches: 1, measuredSeconds: 7200 };
  const rows = query.getAll('tenant').map((member) => ({ member, ...times }));
  return { from: 0, to: 1, metric: query.get('metric'), points: 2, rows };
}

const policy = `<bulkhead version="1">
  <defaults><cpu limit="50%"/><processes limit="100"/></defaults>
  <tenant uid="10001"/>
  <tenant uid="10002"/>
  <tenant uid="10003"><cpu limit="200%"/></tenant>
  <tenant uid="10999"/>
</bulkhead>
`;

test(
  'shows who would have noticed, for how long, and how far the host is committed',
  options,
  async (t) => {
    const file = join(testDirectory(t, 'simulate'), 'new.xml');
    writeFileSync(file, policy);
    asking.server.instead.set('/v1/replay', replay);
    asking.server.instead.set('/v1/top', top(rows));
    // It used nothing, so that only the last tick knows it.
    const used = rows.filter((_, index) => index !== 1);
    asking.server.instead.set('/v1/maxima', maxima(used));
    const { status, out, err } = await simulate('--policy', file, '--json');
    assert.deepEqual([status, err], [0, '']);
    const { limits, host: sums, withoutHistory, tenants } = jsonOf<SimulateJson>('simulate', out);
    assert.deepEqual([tenants, withoutHistory], [3, 1]);
    const common = { kind: 'tenant', limit: 'cpu.limit', before: '100%' };
    assert.deepEqual(limits, [
      {
        ...common,
        member: 'u10001',
        name: 'tenant0000',
        after: '50%',
        happened: 0,
        effect: 'slowed',
        secondsMin: 1800,
        secondsMax: 3600,
        stretches: 1,
        measuredSeconds: 7200,
      },
      {
        ...common,
        member: 'u10003',
        name: 'tenant0002',
        after: '200%',
        happened: 7,
        effect: 'less, unknown',
      },
    ]);
    assert.deepEqual(sums[0], {
      limit: 'cpu.limit',
      available: 4,
      before: { committed: 4, unlimitedTenants: 0, overcommit: 1 },
      after: { committed: 3.5, unlimitedTenants: 0, overcommit: 0.875 },
    });
    const text = await simulate('--policy', file);
    assert.match(text.out, /tenant0000 +cpu +100% +50% +slowed +30m +1h +1 +0/);
    assert.match(text.out, /Without history: 1 member of/);
    asking.server.instead.set('/v1/maxima', maxima(held));
    const least = await simulate('--policy', file);
    assert.match(least.out, /tenant0000 +cpu +100% +50% +slowed +30m +unknown +1 +3/);
    assert.match(least.out, /held back/);
  },
);

test('replays many members at once, and goes on if that fails for some', options, async (t) => {
  const file = join(testDirectory(t, 'simulate-many'), 'new.xml');
  // Limits that differ do not all fit into one request.
  const tenants = Array.from(
    { length: 1000 },
    (_, index) =>
      `<tenant uid="${10_001 + index}"><processes limit="${1 + (index % 3)}"/></tenant>`,
  ).join('');
  writeFileSync(
    file,
    `<bulkhead version="1"><defaults><cpu limit="50%"/><processes limit="3"/></defaults>${tenants}</bulkhead>`,
  );
  const all = Array.from({ length: 1000 }, (_, index) =>
    rows.slice(0, 1).map((row) => ({ ...row, ...whoIs(index) })),
  ).flat();
  asking.server.instead.set('/v1/top', top(all));
  asking.server.instead.set('/v1/maxima', maxima(all));
  asking.server.instead.set('/v1/replay', replay);
  const asked = () => asking.server.asked.filter((each) => each.startsWith('/v1/replay'));
  const before = asked().length;
  const whole = jsonOf<SimulateJson>('simulate', (await simulate('--policy', file, '--json')).out);
  assert.equal(whole.limits.filter(({ secondsMin }) => secondsMin === 1800).length, 2000);
  assert.deepEqual(whole.problems, []);
  const questions = asked().slice(before);
  assert.ok(questions.length < 10, `${questions.length}`);
  assert.ok(questions.every((each) => each.length < 16_000));
  asking.server.instead.set('/v1/replay', (query: URLSearchParams) =>
    query.get('metric') === 'threads' && query.getAll('tenant').includes('u10001')
      ? undefined
      : replay(query),
  );
  const part = await simulate('--policy', file, '--json');
  assert.equal(part.status, 1);
  const { limits, problems } = jsonOf<SimulateJson>('simulate', part.out);
  const unknown = limits.filter(({ effect }) => effect === 'unknown');
  assert.equal(limits.length, 2000);
  assert.ok(unknown.length > 0 && unknown.length < 1000);
  assert.deepEqual(new Set(unknown.map(({ limit }) => limit)), new Set(['processes.limit']));
  assert.equal(problems.length, 1);
  assert.match(
    part.err,
    /^bulkhead: Cannot replay processes\.limit of "tenant0000, tenant0001, .* more": nobody knows it$/m,
  );
});

test('says so if nothing was measured', options, async (t) => {
  const file = join(testDirectory(t, 'simulate-nothing'), 'new.xml');
  writeFileSync(file, policy);
  asking.server.instead.set('/v1/top', top(rows));
  asking.server.instead.set('/v1/maxima', maxima([], 0));
  const { out } = await simulate('--policy', file);
  assert.match(out, /Nothing was measured in this period/);
  assert.match(out, /Without history: 4 members/);
  assert.doesNotMatch(out, /No tenant would have noticed/);
});

test('says unknown where the history has no such metric', options, async (t) => {
  asking.server.instead.set('/v1/maxima', maxima(rows));
  const file = join(testDirectory(t, 'simulate-unknown'), 'new.xml');
  writeFileSync(
    file,
    policy.replace('<cpu limit="50%"/>', '<cpu limit="50%"/><io read="1MiB/s"/>'),
  );
  const { out } = await simulate('--policy', file, '--json');
  const { limits } = jsonOf<SimulateJson>('simulate', out);
  const reads = limits.filter(({ limit }) => limit === 'io.read');
  assert.deepEqual(
    reads.map(({ effect, secondsMin, before }) => [effect, secondsMin, before]),
    Array.from({ length: 3 }, () => ['unknown', undefined, 'unlimited']),
  );
});

/** Limits of several metrics, for which the agent is asked one after the other. */
const everyLimit = policy.replace(
  '<processes limit="100"/>',
  '<processes limit="1"/><memory limit="64MiB"/><io read="1MiB/s" write="1MiB/s"/>',
);

/** Calls `then` at the first question for maxima, before it is answered, and returns the questions so far. */
function atFirstQuestion(then: () => void): readonly string[] {
  const asked: string[] = [];
  asking.server.instead.set('/v1/top', top(rows));
  asking.server.instead.set('/v1/maxima', (query: URLSearchParams) => {
    asked.push(`maxima of ${query.get('metric')}`);
    if (asked.length === 1) then();
    return maxima(rows)(query);
  });
  asking.server.instead.set('/v1/replay', (query: URLSearchParams) => {
    asked.push(`replay of ${query.get('metric')}`);
    return replay(query);
  });
  return asked;
}

test('asks nothing more after Ctrl-C', options, async (t) => {
  const file = join(testDirectory(t, 'simulate-interrupted'), 'new.xml');
  writeFileSync(file, everyLimit);
  const whole = atFirstQuestion(() => undefined);
  await simulate('--policy', file);
  assert.ok(whole.length > 5, whole.join());
  const interruption = new AbortController();
  const asked = atFirstQuestion(() => interruption.abort());
  const { status, out } = await asking.run(['simulate', '--policy', file], {}, interruption.signal);
  assert.deepEqual([status, out], [null, '']);
  assert.deepEqual(asked, whole.slice(0, 1));
});

test('asks nothing more after the request to the API is closed', options, async (t) => {
  const directory = testDirectory(t, 'simulate-closed');
  const file = join(directory, 'policy.xml');
  writeFileSync(file, policy);
  const body = JSON.stringify({ text: everyLimit, periodSeconds: 86_400 });
  const job: PolicyJob = {
    paths: pathsOf('bulkhead-simulate-command'),
    file,
    audience: { kind: 'administrator' },
    editor: { kind: 'administrator' },
    author: { uid: 0 },
    question: {
      kind: 'simulate',
      body: Buffer.from(body),
      etag: undefined,
      tick: new LatestSample().tick,
    },
  };
  using worker = new PolicyWorker({ answerMilliseconds: patienceMilliseconds });
  const whole = atFirstQuestion(() => undefined);
  const { status, body: found } = await worker.ask(0, job);
  assert.equal(status, 200, found);
  assert.ok(whole.length > 5, whole.join());
  const visitor = new AbortController();
  const asked = atFirstQuestion(() => visitor.abort());
  assert.equal((await worker.ask(0, job, visitor.signal)).status, 499);
  // The worker asks one question at a time: the next one begins after the process of this one has ended.
  const before = asked.length;
  atFirstQuestion(() => undefined);
  assert.equal((await worker.ask(0, job)).status, 200);
  assert.deepEqual([before, asked], [1, whole.slice(0, 1)]);
});

test('refuses a policy with errors, and a command line without one', options, async (t) => {
  const file = join(testDirectory(t, 'simulate-refused'), 'new.xml');
  writeFileSync(file, '<bulkhead version="1"><tenat/></bulkhead>');
  const wrong = await simulate('--policy', file);
  assert.deepEqual([wrong.status, wrong.out], [1, '']);
  assert.match(wrong.err, /<tenat> is not known/);
  assert.equal((await simulate()).status, 2);
  assert.equal((await simulate('--policy', `${file}.missing`)).status, 1);
});
