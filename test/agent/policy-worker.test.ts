/** The process that answers questions about the policy: it stays warm, and may be killed at any moment. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { PolicyResponse } from '../../src/agent/api/policy-api.ts';
import type { PolicyJob, PolicyJobAnswer } from '../../src/agent/policy/policy-job.ts';
import { PolicyWorker, type PolicyWorkerOptions } from '../../src/agent/policy/policy-worker.ts';
import { runPolicyJob } from '../../src/agent/policy/run-job.ts';
import { capabilities } from '../../src/capabilities.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'only root reads policies here';
const root = { kind: 'administrator' } as const;
const tick = { at: 0, seconds: 5, members: [], columns: emptyColumns(0) };

/** Policies in a directory of their own, one for each caller. */
class Policies implements Disposable {
  readonly #directory = temporaryDirectory('policy-worker', '/root');
  readonly #paths = {
    ...pathsOf('bulkhead-policy-worker'),
    runtime: `${this.#directory.path}/run`,
    state: `${this.#directory.path}/state`,
  };

  read(caller: number): PolicyJob {
    const file = `${this.#directory.path}/${caller}.xml`;
    writeFileSync(
      file,
      `<bulkhead version="1"><!-- of ${caller} --><tenant uid="${caller}"/></bulkhead>`,
    );
    const question = { kind: 'read' } as const;
    return { paths: this.#paths, file, audience: root, editor: root, author: {}, question };
  }

  plan(caller: number): PolicyJob {
    const edits = [{ target: `tenant ${caller}`, set: { cpu: '10%' } }];
    const body = Buffer.from(JSON.stringify({ edits }));
    const question = { kind: 'plan', body, etag: undefined, tick } as const;
    return { ...this.read(caller), question };
  }

  [Symbol.dispose](): void {
    this.#directory.remove();
  }
}

const worker = (more: Partial<PolicyWorkerOptions> = {}) =>
  new PolicyWorker({ answerMilliseconds: 45_000, ...more });

function assertOf(caller: number, { status, body }: PolicyJobAnswer): void {
  assert.equal(status, 200, body);
  const { tenants } = JSON.parse(body) as PolicyResponse;
  assert.deepEqual(
    tenants.map(({ uid }) => uid),
    [caller],
  );
}

const pidOf = ({ pid }: PolicyWorker): number => {
  assert.ok(pid);
  return pid;
};

test(
  'PolicyWorker answers many questions by one process, and ends it when idle',
  { skip },
  async () => {
    using policies = new Policies();
    using asked = worker({ idleMilliseconds: 200 });
    assertOf(5001, await asked.ask(0, policies.read(5001)));
    const pid = pidOf(asked);
    for (const caller of [5002, 5003, 5004])
      assertOf(caller, await asked.ask(0, policies.read(caller)));
    await eventually('it has ended', () => asked.pid === undefined && !isAlive(pid));
    assertOf(5001, await asked.ask(0, policies.read(5001)));
  },
);

test('PolicyWorker starts another process after one was killed', { skip }, async () => {
  using policies = new Policies();
  using asked = worker();
  assertOf(5001, await asked.ask(0, policies.read(5001)));
  process.kill(pidOf(asked), 'SIGKILL');
  // Perhaps it has not been noticed yet.
  assertOf(5002, await asked.ask(0, policies.read(5002)));
  const pid = pidOf(asked);
  process.kill(pid, 'SIGKILL');
  await eventually('it has ended', () => !isAlive(pid));
  assertOf(5003, await asked.ask(0, policies.read(5003)));
});

test(
  'PolicyWorker gives each caller its own answer while processes are killed',
  { skip },
  async () => {
    using policies = new Policies();
    using asked = worker();
    const callers = [5001, 5002, 5003, 5004];
    let asks = 0;
    const killed: Promise<void>[] = [];
    const killSoon = async () => {
      await pause(Math.random() * 100);
      if (asked.pid !== undefined && isAlive(asked.pid)) process.kill(asked.pid, 'SIGKILL');
    };
    const ask = async (caller: number) => {
      for (let count = 0; count < 8; count++) {
        if (++asks % 4 === 0) killed.push(killSoon());
        const answer = await asked.ask(caller, policies.read(caller));
        if (answer.status !== 503) assertOf(caller, answer);
      }
    };
    await Promise.all(callers.map(ask));
    await Promise.all(killed);
    assertOf(5005, await asked.ask(0, policies.read(5005)));
  },
);

test(
  'PolicyWorker ends a process that hangs, and one that nobody waits for',
  { skip },
  async () => {
    using policies = new Policies();
    using asked = worker({ answerMilliseconds: 15_000 });
    assertOf(5001, await asked.ask(0, policies.read(5001)));
    const stopped = pidOf(asked);
    process.kill(stopped, 'SIGSTOP');
    const late = await asked.ask(0, policies.read(5001));
    assert.equal(late.status, 503, late.body);
    assert.match(late.body, /it took longer than 15 s/);
    assertOf(5002, await asked.ask(0, policies.read(5002)));
    assert.ok(!isAlive(stopped));
    const next = pidOf(asked);
    process.kill(next, 'SIGSTOP');
    const leaves = new AbortController();
    const left = asked.ask(0, policies.read(5001), leaves.signal);
    leaves.abort();
    assert.equal((await left).status, 499);
    await eventually('it has ended', () => !isAlive(next));
    assertOf(5003, await asked.ask(0, policies.read(5003)));
  },
);

test(
  'PolicyWorker answers an account that has used its share later, and others at once',
  { skip },
  async () => {
    using policies = new Policies();
    using asked = worker({ share: { share: 1e-4, burst: 0 } });
    assertOf(5001, await asked.ask(5001, policies.read(5001)));
    const { status, retryAfterSeconds = 0 } = await asked.ask(5001, policies.read(5001));
    assert.equal(status, 429);
    assert.ok(retryAfterSeconds >= 1);
    assertOf(5002, await asked.ask(5002, policies.read(5002)));
  },
);

const openFiles = (of: number | 'self') => readdirSync(`/proc/${of}/fd`).length;

test('plans leave no files open', { skip }, async () => {
  using policies = new Policies();
  const plan = async () => {
    const { status, body } = await runPolicyJob(policies.plan(5001), capabilities);
    assert.equal(status, 200, body);
  };
  await plan();
  const before = openFiles('self');
  for (let count = 0; count < 50; count++) await plan();
  assert.equal(openFiles('self'), before);
  using asked = worker();
  const ask = async () => assert.equal((await asked.ask(0, policies.plan(5001))).status, 200);
  await ask();
  const inProcess = openFiles(pidOf(asked));
  for (let count = 0; count < 10; count++) await ask();
  assert.equal(openFiles(pidOf(asked)), inProcess);
});

/** Whether a process runs; one that has ended and that nobody has waited for does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
