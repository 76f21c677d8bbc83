/** Many requests about the policy at once: resellers wait for themselves, and root for no reseller. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PolicyPlan } from '../../src/agent/api/policy-api.ts';
import type { KeepingCaller } from '../../src/agent/policy/goes-back/goes-back.ts';
import { start } from './going-back-stage.ts';
import { ask, Stage, uids, type Reply } from './stage.ts';

const delegated = `
  <reseller user="acme" may="limits packages"><tenant user="alice"/></reseller>
  <tenant user="bob"/><tenant user="carol"/>`;

function plan(stage: Stage, uid: number, tenant: string): Promise<Reply> {
  const body = JSON.stringify({ edits: [{ target: `tenant ${tenant}`, set: { cpu: '30%' } }] });
  const headers = { 'content-type': 'application/json', 'content-length': `${body.length}` };
  return ask(stage.control, '/v1/policy/plan', { method: 'POST', uid, headers, body });
}

const answered = (reply: Reply, status = 200) => assert.equal(reply.status, status, reply.text);

/** Returns the processes that answer questions about the policy. */
const policyProcesses = (): readonly number[] =>
  readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '))
    .map(Number)
    .filter((pid) => pid > 0 && commandOf(pid).includes('policy-child'));

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

test('a reseller whose requests hang delays no request of root', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  answered(await plan(stage, uids.acme, 'alice'));
  const [resellers, ...others] = policyProcesses();
  assert.ok(resellers !== undefined && others.length === 0);
  process.kill(resellers, 'SIGSTOP');
  const hanging = plan(stage, uids.acme, 'alice');
  answered(await plan(stage, 0, 'bob'));
  answered(await ask(stage.control, '/v1/policy'));
  process.kill(resellers, 'SIGCONT');
  answered(await hanging);
});

/** A reply, or the end of a connection that the agent did not take: an account has 16 at once. */
const orRefused = (reply: Promise<Reply>) => reply.catch(() => undefined);

test('fifty requests of each role at once: each gets its own answer, or when to retry', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const fifty = Array.from({ length: 50 }, (_, index) => index);
  const get = (uid: number) => orRefused(ask(stage.control, '/v1/policy', { uid }));
  const [root, reseller, read, tenant, nobody] = await Promise.all([
    Promise.all(fifty.map(() => plan(stage, 0, 'bob'))),
    Promise.all(fifty.map(() => orRefused(plan(stage, uids.acme, 'alice')))),
    Promise.all(fifty.map(() => get(uids.acme))),
    Promise.all(fifty.map(() => orRefused(plan(stage, uids.alice, 'alice')))),
    Promise.all(fifty.map(() => get(uids.nobody))),
  ]);
  const tenantsOf = (reply: Reply) => reply.json<PolicyPlan>().tenants;
  const some = (replies: readonly (Reply | undefined)[]) => replies.flatMap((each) => each ?? []);
  for (const each of [...root, ...some([...reseller, ...read])]) {
    assert.ok([200, 429].includes(each.status), each.text);
    if (each.status === 429) assert.match(String(each.headers['retry-after']), /^[1-9]\d*$/);
  }
  const good = (replies: readonly Reply[]) => replies.filter(({ status }) => status === 200);
  assert.ok(good(root).length >= 30);
  for (const each of good(root)) assert.deepEqual(tenantsOf(each), ['bob']);
  for (const each of good(some(reseller))) assert.deepEqual(tenantsOf(each), ['alice']);
  for (const each of some([...tenant, ...nobody])) answered(each, 403);
  answered(await plan(stage, 0, 'bob'));
});

test('a reseller that guesses which change to keep has a pace, and root has none', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  using changes = start(stage, []);
  const statusesOf = (caller: KeepingCaller) =>
    Array.from({ length: 100 }, (_, number) => {
      const kept = changes.keep(caller, number);
      assert.ok(!kept.ok);
      return kept.error.status;
    });
  const guessed = statusesOf({ audience: { kind: 'reseller', uid: uids.acme }, uid: uids.acme });
  assert.deepEqual([guessed[0], guessed.includes(429)], [404, true]);
  const other = changes.keep({ audience: { kind: 'reseller', uid: 4001 }, uid: 4001 }, 1);
  assert.ok(!other.ok && other.error.status === 404);
  const tried = statusesOf({ audience: { kind: 'administrator' }, uid: 0 });
  assert.deepEqual(new Set(tried), new Set([404]));
});
