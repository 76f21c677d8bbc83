/** Advice after limits were hit, and after uses that no sample saw, on this kernel. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Advice, AdviseResponse, UsageResponse } from '../../src/agent/api/usage-api.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { hostHere } from '../conformance/host-here.ts';
import { RunningAgent } from './running-agent.ts';

const here = hostHere('bulkhead-advise-test');
const skip = 'skip' in here ? here.skip : false;
const [killed, throttled, refused, brief] = [882_001, 882_002, 882_003, 882_004] as const;
const mebibyte = 2 ** 20;

const policy = `  <agent interval="2s"/>
  <package name="small"><memory limit="128MiB"/><cpu limit="25%"/><processes limit="20"/></package>
  <package name="large"><memory limit="1GiB"/><processes limit="200"/></package>
  <tenant uid="${killed}" package="small"/>
  <tenant uid="${throttled}" package="small"><cpu limit="2%"/></tenant>
  <tenant uid="${refused}" package="small"/>
  <tenant uid="${brief}" package="large"/>`;

describe('GET /v1/advise on this kernel', { skip }, () => {
  let agent: RunningAgent;

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    agent.writePolicy(policy);
    await agent.start();
    await agent.until('it places', async () => (await agent.status()).placement.state === 'on');
    await agent.until('it has read once', async () => (await agent.status()).tick.ticks > 1);
  });
  after(() => agent[Symbol.asyncDispose]());

  /** Inside from the first instruction, whatever the placer does, and gone when this returns. */
  const startInside = (uid: number, script: string) => {
    const { hierarchies } = treeOf();
    const joins = hierarchies.map(({ rootPath }) => `echo $$ > '${rootPath}/u${uid}/cgroup.procs'`);
    const become = `exec setpriv --reuid ${uid} --regid ${uid} --clear-groups sh -c "$0"`;
    return spawn('sh', ['-c', [...joins, become].join(' && '), script], { stdio: 'ignore' });
  };
  const runInside = async (uid: number, script: string) => {
    await once(startInside(uid, script), 'exit');
  };
  const treeOf = () => {
    if ('skip' in here) throw new Error(here.skip);
    const driver = here.host.probe();
    if (!driver.ok) throw new Error(formatProblem(driver.error));
    return driver.value.tree;
  };
  const advise = async () => (await agent.ask('/v1/advise')).json<AdviseResponse>();
  const of = ({ tenants }: AdviseResponse, uid: number, limit: string) =>
    tenants.find((each) => each.uid === uid && each.limit === limit);
  const isAbove = (
    kind: 'bytes' | 'cpu' | 'count',
    advice: Pick<Advice, 'neverHit' | 'onePercentHit' | 'reason' | 'hitValue'> | undefined,
    value: number,
  ) => {
    for (const text of [advice?.neverHit, advice?.onePercentHit]) {
      const parsed = quantityKinds[kind].parse(text ?? '');
      assert.ok(parsed.ok && parsed.value > value, JSON.stringify(advice));
    }
    assert.match(
      advice?.reason ?? '',
      /^hit .* more is needed; how much is unknown until it is raised/,
    );
  };
  const untilHit = async (uid: number, limit: string) => {
    let found: AdviseResponse | undefined;
    await agent.until(`${limit} of ${uid} is seen to be hit`, async () => {
      found = await advise();
      return (of(found, uid, limit)?.faults ?? 0) > 0;
    });
    return found as AdviseResponse;
  };

  test('is above a memory limit that killed a process, also for the package', async () => {
    await runInside(killed, `'${process.execPath}' -e 'Buffer.alloc(400 * 2 ** 20, 1)'`);
    const answer = await untilHit(killed, 'memory.limit');
    const advice = of(answer, killed, 'memory.limit');
    assert.equal(advice?.hitValue, '128MiB');
    isAbove('bytes', advice, 128 * mebibyte);
    const ofPackage = answer.packages.find(
      (each) => each.package === 'small' && each.limit === 'memory.limit',
    );
    assert.equal(ofPackage?.hitValue, '128MiB');
    isAbove('bytes', ofPackage, 128 * mebibyte);
  });

  test('is above a CPU limit that throttled a tenant', async () => {
    // So little is left for it on the busiest machine.
    const child = startInside(throttled, 'while :; do :; done');
    try {
      isAbove('cpu', of(await untilHit(throttled, 'cpu.limit'), throttled, 'cpu.limit'), 0.02);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('is above a process limit that refused forks', async () => {
    await runInside(refused, 'for i in $(seq 40); do sleep 1 & done');
    const advice = of(await untilHit(refused, 'processes.limit'), refused, 'processes.limit');
    isAbove('count', advice, 20);
  });

  test('includes memory used only between two ticks, as GET /v1/usage does', async () => {
    await runInside(brief, `'${process.execPath}' -e 'Buffer.alloc(300 * 2 ** 20, 1)'`);
    let usage: UsageResponse | undefined;
    // A tick may have come in between, which has less.
    await agent.until('it is in the history', async () => {
      usage = (await agent.ask(`/v1/usage?tenant=${brief}`)).json<UsageResponse>();
      return (usage.rows[0]?.metrics.memory?.max ?? 0) > 300 * mebibyte;
    });
    const never = of(await advise(), brief, 'memory.limit')?.neverHit ?? '';
    const parsed = quantityKinds.bytes.parse(never);
    assert.ok(parsed.ok && parsed.value > 300 * mebibyte, never);
    assert.equal(usage?.rows[0]?.metrics.memoryPeak, undefined);
  });
});
