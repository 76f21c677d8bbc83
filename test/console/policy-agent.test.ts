/** The policy through the whole agent on the kernel of this machine: planned, written, applied, undone, and gone back. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { socketOf } from '../../src/agent/api/client.ts';
import type { ConsoleCodeResponse, ConsoleSessionStart } from '../../src/agent/api/console-api.ts';
import type {
  PolicyChangeResponse,
  PolicyChangesResponse,
  PolicyConflict,
  PolicyEditRequest,
  PolicyPlan,
  PolicyResponse,
  PolicyWriteRequest,
  PolicyWritten,
} from '../../src/agent/api/policy-api.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { consoleAgentSocketOf } from '../../src/host/paths.ts';
import { goingBackFile } from '../../src/agent/policy/goes-back/going-back-file.ts';
import { readText } from '../../packages/base/io/read.ts';
import { runBulkhead } from './policy-command.ts';
import { hostHere } from '../conformance/host-here.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { ask, type Reply } from './stage.ts';

const instance = 'bulkhead-policy-api';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const [alice, bob, acme, carol] = [886_001, 886_002, 886_003, 886_004] as const;
const control = socketOf(pathsOf(instance));
let agent: RunningAgent;

const body = `  <!-- kept -->
  <defaults><cpu limit="100%"/><memory limit="64MiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <tenant uid="${alice}"><cpu limit="80%"/></tenant> <!-- alice -->
  <tenant uid="${bob}"/>
  <reseller uid="${acme}" may="limits"><cpu limit="200%"/><tenant uid="${carol}"/></reseller>`;

before(async () => {
  if ('skip' in here) return;
  agent = new RunningAgent(here.host);
  agent.writePolicy(body);
  await agent.start();
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
});

const send = (method: string, path: string, value: object, more: Ask = {}): Promise<Reply> => {
  const text = JSON.stringify(value);
  const headers = {
    'content-type': 'application/json',
    'content-length': `${Buffer.byteLength(text)}`,
    ...(more.etag !== undefined && { 'if-match': `"${more.etag}"` }),
    ...(more.token !== undefined && { authorization: `Bearer ${more.token}` }),
  };
  const socket = more.token === undefined ? control : consoleAgentSocketOf(pathsOf(instance));
  return ask(socket, path, { method, uid: more.uid ?? 0, headers, body: text });
};

interface Ask {
  readonly uid?: number;
  readonly etag?: string;
  readonly token?: string;
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
const okay = <T>(reply: Reply): T => {
  assert.equal(reply.status, 200, reply.text);
  return reply.json<T>();
};

const get = async <T>(path: string, uid = 0) => okay<T>(await ask(control, path, { uid }));
const policy = (uid = 0) => get<PolicyResponse>('/v1/policy', uid);
const plan = async (request: PolicyEditRequest, more: Ask = {}) =>
  okay<PolicyPlan>(await send('POST', '/v1/policy/plan', request, more));
const put = (request: PolicyWriteRequest, etag: string, more: Ask = {}) =>
  send('PUT', '/v1/policy', request, { ...more, etag });

/** Plans and writes. */
async function write(request: PolicyEditRequest & { revertAfterSeconds?: number }, more: Ask = {}) {
  const { revertAfterSeconds, ...edit } = request;
  const { planId: planned, etag } = await plan(edit, more);
  const extra = revertAfterSeconds === undefined ? {} : { revertAfterSeconds };
  return okay<PolicyWritten>(await put({ ...edit, planned, ...extra }, etag, more));
}

const cpuOf = (uid: number, value: string) => ({
  edits: [{ target: `tenant ${uid}`, set: { cpu: value } }],
});
const text = () => readFileSync(agent.policyFile, 'utf8');

async function login(): Promise<string> {
  const { code } = okay<ConsoleCodeResponse>(
    await ask(control, '/v1/console/codes', { method: 'POST' }),
  );
  const started = await ask(consoleAgentSocketOf(pathsOf(instance)), '/v1/console/session', {
    method: 'POST',
    headers: { authorization: `Code ${code}` },
  });
  return okay<ConsoleSessionStart>(started).token;
}

test('a session plans, writes and undoes an edit, and the record says who', { skip }, async () => {
  const token = await login();
  const shown = await policy();
  assert.equal(shown.may, 'all');
  assert.deepEqual(
    shown.tenants
      .find(({ uid }) => uid === alice)
      ?.values.map(({ limit, value }) => [limit, value]),
    [['cpu.limit', '80%']],
  );
  const before = text();
  const change = { ...cpuOf(alice, '90%'), comment: 'asked for more' };
  const made = await plan(change, { token });
  assert.equal(made.etag, shown.etag);
  assert.deepEqual(made.tenants, [`uid ${alice}`]);
  assert.deepEqual(
    made.operations.map((each) => each.text),
    [`${operationName()} of tenant uid ${alice}: 80% → 90%`],
  );
  assert.equal(text(), before);
  const written = okay<PolicyWritten>(
    await put({ ...change, planned: made.planId }, made.etag, { token }),
  );
  assert.deepEqual([written.state, written.failures], ['in force', []]);
  assert.equal(text(), before.replace('80%', '90%'));
  const { change: number = 0 } = written;
  const { changes } = await get<PolicyChangesResponse>(`/v1/policy/changes?tenant=${alice}`);
  const [last] = changes;
  assert.ok(last);
  assert.deepEqual(
    [last.number, last.by, last.way, last.user, last.uid, last.comment, last.outcome],
    [number, 'console', 'console', 'root', 0, 'asked for more', 'in force'],
  );
  assert.match(last.session ?? '', /^\w/);
  const { diff } = await get<PolicyChangeResponse>(`/v1/policy/changes/${number}`);
  assert.ok(diff?.some(({ lines }) => lines.some(({ sign }) => sign === '+')));
  const undo = okay<PolicyPlan>(
    await send('POST', `/v1/policy/changes/${number}/undo`, {}, { token }),
  );
  await put({ undo: number, planned: undo.planId }, undo.etag, { token });
  assert.equal(text(), before);
});

const operationName = () =>
  'version' in here && here.version === 1 ? 'cpu.cfs_quota_us' : 'cpu.max';

test('two editors: the second sees the new text, and nothing is lost', { skip }, async () => {
  const [one, other] = [cpuOf(alice, '70%'), cpuOf(bob, '60%')];
  const [first, second] = [await plan(one), await plan(other)];
  okay(await put({ ...one, planned: first.planId }, first.etag));
  const late = await put({ ...other, planned: second.planId }, second.etag);
  assert.equal(late.status, 412, late.text);
  const { plan: again, etag } = late.json<PolicyConflict>();
  assert.ok(again);
  okay(await put({ ...other, planned: again.planId }, etag));
  assert.match(text(), /70%/);
  assert.match(text(), /60%/);
});

test('commands and edits at the same time lose nothing', { skip }, async () => {
  const commands = [11, 12, 13].map((each) =>
    runBulkhead(instance, ['set', `${886_100 + each}`, 'cpu=10%', '--policy', agent.policyFile]),
  );
  const wanted = [21, 22, 23].map(async (each) => {
    const change = cpuOf(886_100 + each, '20%');
    for (;;) {
      const { planId: planned, etag } = await plan(change);
      const reply = await put({ ...change, planned }, etag);
      if (reply.status === 200) return;
      assert.ok([409, 412].includes(reply.status), reply.text);
    }
  });
  await Promise.all([...commands, ...wanted]);
  for (const each of [11, 12, 13, 21, 22, 23])
    assert.match(text(), new RegExp(`${886_100 + each}`));
});

test('an edit by hand in between is not overwritten', { skip }, async () => {
  const change = cpuOf(alice, '75%');
  const { planId: planned, etag } = await plan(change);
  const edited = text().replace('<!-- kept -->', '<!-- by hand -->');
  writeFileSync(agent.policyFile, edited);
  const late = await put({ ...change, planned }, etag);
  assert.equal(late.status, 412, late.text);
  assert.equal(text(), edited);
});

test('a plan that differs from the one shown is not applied', { skip }, async () => {
  const change = cpuOf(alice, '65%');
  const { etag } = await plan(change);
  const before = text();
  const reply = await put({ ...change, planned: 'a'.repeat(64) }, etag);
  assert.equal(reply.status, 409, reply.text);
  const conflict = reply.json<PolicyConflict>();
  assert.equal(conflict.etag, etag);
  assert.equal(text(), before);
  okay(await put({ ...change, planned: conflict.plan?.planId ?? '' }, etag));
});

test('a reseller changes its own tenants only, and sees no text', { skip }, async () => {
  const shown = await policy(acme);
  assert.deepEqual(shown.may, ['limits']);
  assert.equal(shown.text, undefined);
  assert.deepEqual(
    shown.tenants.map(({ uid }) => uid),
    [carol],
  );
  const made = await plan(cpuOf(carol, '150%'), { uid: acme });
  assert.ok(!JSON.stringify(made).includes(`${alice}`));
  const written = await write(cpuOf(carol, '150%'), { uid: acme });
  assert.equal(written.state, 'in force');
  const before = text();
  for (const edits of [
    [{ target: `tenant ${alice}`, set: { cpu: '10%' } }],
    [{ target: `tenant ${carol}`, set: { cpu: '300%' } }],
    [{ target: `tenant ${carol}`, set: { package: 'small' } }],
    [{ target: `reseller ${acme}`, set: { may: 'limits packages' } }],
    [{ target: 'defaults', set: { cpu: '900%' } }],
    [{ target: `tenant ${carol}`, remove: true }],
  ]) {
    const reply = await send('POST', '/v1/policy/plan', { edits }, { uid: acme });
    assert.ok([400, 403].includes(reply.status), reply.text);
  }
  const whole = await send('POST', '/v1/policy/plan', { text: before }, { uid: acme });
  assert.equal(whole.status, 400);
  assert.equal(text(), before);
  const { changes } = await get<PolicyChangesResponse>('/v1/policy/changes', acme);
  assert.ok(changes.length > 0);
  assert.ok(!JSON.stringify(changes).includes(`${alice}`));
});

test('a tenant neither sees nor changes the policy', { skip }, async () => {
  assert.equal((await ask(control, '/v1/policy', { uid: alice })).status, 403);
  const planned = await send('POST', '/v1/policy/plan', cpuOf(alice, '900%'), { uid: alice });
  assert.equal(planned.status, 403);
});

test('a read-only session sees the policy, and changes nothing', { skip }, async () => {
  const { code } = okay<ConsoleCodeResponse>(
    await ask(control, '/v1/console/codes?embed=1', { method: 'POST' }),
  );
  const socket = consoleAgentSocketOf(pathsOf(instance));
  const headers = { authorization: `Code ${code}` };
  const started = await ask(socket, '/v1/console/session', { method: 'POST', headers });
  const { token } = okay<ConsoleSessionStart>(started);
  const bearer = { authorization: `Bearer ${token}` };
  assert.deepEqual(
    okay<PolicyResponse>(await ask(socket, '/v1/policy', { headers: bearer })).may,
    [],
  );
  for (const [method, path] of [
    ['POST', '/v1/policy/plan'],
    ['PUT', '/v1/policy'],
    ['POST', '/v1/policy/keep'],
    ['POST', '/v1/policy/changes/1/undo'],
  ] as const)
    assert.equal((await send(method, path, cpuOf(alice, '1%'), { token })).status, 403, path);
});

test(
  'a change stays if it is kept, and an edit in between stays when it goes back',
  { skip },
  async () => {
    const kept = await write({ ...cpuOf(alice, '61%'), revertAfterSeconds: 3600 });
    assert.ok(kept.pending && kept.pending.secondsLeft > 3000);
    assert.equal((await policy()).pending?.change, kept.change);
    const wrong = await send('POST', '/v1/policy/keep', { change: 1 });
    assert.equal(wrong.status, 409, wrong.text);
    okay(await send('POST', '/v1/policy/keep', { change: kept.change }));
    assert.equal((await policy()).pending, undefined);
    await write({ ...cpuOf(alice, '62%'), revertAfterSeconds: 3600 });
    const second = await write(cpuOf(bob, '59%'));
    assert.ok(second.pending);
    writeFileSync(agent.policyFile, text().replace('by hand', 'again'));
    const file = goingBackFile(agent.host.paths);
    const entries = JSON.parse(readText(file) ?? '[]') as object[];
    writeFileSync(file, JSON.stringify(entries.map((each) => ({ ...each, at: Date.now() }))));
    writeFileSync(agent.policyFile, text().replace('again', 'once more'));
    await agent.until('it went back', () => readText(file) === undefined);
    assert.match(text(), /61%[^]*once more|once more[^]*61%/);
    assert.match(text(), /59%/);
  },
);

test('a change goes back after the agent was killed, once its time is over', { skip }, async () => {
  const before = text();
  await write({ ...cpuOf(alice, '63%'), revertAfterSeconds: 60 });
  await agent.stop('SIGKILL');
  const file = goingBackFile(agent.host.paths);
  const entries = JSON.parse(readText(file) ?? '[]') as { at: number }[];
  writeFileSync(file, JSON.stringify(entries.map((each) => ({ ...each, at: Date.now() + 2000 }))));
  await agent.start();
  await agent.until('it went back', () => text() === before);
  const { changes } = await get<PolicyChangesResponse>('/v1/policy/changes');
  assert.deepEqual([changes[0]?.by, changes[0]?.user], ['itself', 'root']);
});

test('hostile requests are refused, and the agent goes on', { skip }, async () => {
  const path = '/v1/policy/plan';
  for (const value of [
    {},
    { edits: [] },
    { edits: [{ target: 'tenant "/><x', set: { cpu: '1%' } }] },
    { edits: [{ target: 'tenant alice', set: { 'cpu="1%"/><x y': '1%' } }] },
    { edits: [{ target: 'package a" name="b', set: { cpu: '1%' } }] },
    { edits: cpuOf(alice, '1%').edits, text: 'both' },
    { edits: cpuOf(alice, '1%').edits, more: 1 },
    { edits: [{ target: 'defaults', set: { may: 'limits' } }] },
    { edits: cpuOf(alice, '1e999%').edits },
    { text: '<bulkhead version="1"><tenant' },
    { undo: -1 },
    { undo: 999_999 },
    [],
  ])
    assert.equal((await send('POST', path, value)).status, 400, JSON.stringify(value));
  const raw = (headers: Record<string, string>, sent: string) =>
    ask(control, path, { method: 'POST', headers, body: sent });
  const json = { 'content-type': 'application/json' };
  assert.equal((await raw({ ...json, 'content-length': '1' }, '\u007f')).status, 400);
  assert.equal((await raw({ 'content-length': '2' }, '{}')).status, 415);
  assert.equal((await raw({ ...json, 'transfer-encoding': 'chunked' }, '{}')).status, 411);
  const large = await raw({ ...json, 'content-length': `${2 ** 23}` }, '{').catch(() => undefined);
  assert.ok(large === undefined || large.status === 413, large?.text ?? '');
  const deep = `{"edits":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  const nested = await raw({ ...json, 'content-length': `${deep.length}` }, deep);
  assert.equal(nested.status, 400, nested.text);
  await agent.until('it answers', async () => (await agent.status()).starting === undefined);
});
