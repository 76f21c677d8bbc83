/** The policy through the front of the console and the agent's API, without cgroups. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type {
  PolicyChangesResponse,
  PolicyConflict,
  PolicyPlan,
  PolicyResponse,
  PolicyWritten,
} from '../../src/agent/api/policy-api.ts';
import { goingBackFile, type GoingBack } from '../../src/agent/policy/goes-back/going-back-file.ts';
import { recordApplied } from '../../src/apply/change-record.ts';
import { allowedNames } from '../../src/console/core/hosts.ts';
import { Front } from '../../src/console/io/front.ts';
import { readServedFiles } from '../../src/console/io/served-files.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { delegated, start } from './going-back-stage.ts';
import { ask, Stage, uids, type Reply } from './stage.ts';

interface Sent {
  readonly token: string;
  readonly etag?: string;
}

/** Sends a request with a JSON body to a socket. */
function send(socket: string, method: string, path: string, value: unknown, sent: Sent) {
  const body = JSON.stringify(value);
  const headers = {
    host: 'localhost:8642',
    'sec-fetch-site': 'same-origin',
    authorization: `Bearer ${sent.token}`,
    'content-type': 'application/json',
    'content-length': `${Buffer.byteLength(body)}`,
    ...(sent.etag !== undefined && { 'if-match': `"${sent.etag}"` }),
  };
  return ask(socket, path, { method, headers, body });
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
const okay = <T>(reply: Reply): T => {
  assert.equal(reply.status, 200, reply.text);
  return reply.json<T>();
};

test('a page plans and writes a change through the front', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  using directory = temporaryDirectory('policy-front', undefined, 0o755);
  writeFileSync(`${directory.path}/manifest.json`, '{"files":[]}');
  const files = readServedFiles(directory.path);
  const names = allowedNames([]);
  assert.ok(files.ok && names);
  const options = { agentSocket: stage.front, files: files.value, names, frameAncestors: [] };
  await using front = new Front(options);
  const socket = `${directory.path}/console.sock`;
  assert.ok((await front.listen({ path: socket })).ok);
  const { token } = await stage.login(0);
  const edit = { edits: [{ target: 'tenant bob', set: { cpu: '30%' } }] };
  const made = okay<PolicyPlan>(await send(socket, 'POST', '/v1/policy/plan', edit, { token }));
  assert.deepEqual(made.tenants, ['bob']);
  assert.deepEqual([made.risky, made.isEmpty], [false, false]);
  const write = { ...edit, planned: made.planId };
  const whole = { token, etag: made.etag };
  const written = okay<PolicyWritten>(await send(socket, 'PUT', '/v1/policy', write, whole));
  assert.equal(written.state, 'in force');
  const text = readFileSync(stage.policyFile, 'utf8');
  assert.match(text, /<tenant user="bob"><cpu limit="30%"\/><\/tenant>|<tenant user="bob">\s*<cpu/);
  assert.match(text, /for root's eyes/);
  assert.equal(stage.applied, 1);
  const late = await send(socket, 'PUT', '/v1/policy', write, whole);
  assert.equal(late.status, 412, late.text);
  assert.equal(late.json<PolicyConflict>().plan?.isEmpty, true);
});

test('a reseller sees and changes its own part, through its own session only', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const acme = await stage.login(uids.acme);
  const get = async (token: string) => stage.with(token, '/v1/policy');
  const shown = okay<PolicyResponse>(await get(acme.token));
  assert.deepEqual(
    [shown.may, shown.tenants.map(({ name }) => name), shown.packages.map(({ name }) => name)],
    [['limits', 'packages'], ['alice'], ['small']],
  );
  for (const secret of ['bob', 'carol', 'globex', 'hidden', 'eyes'])
    assert.ok(!JSON.stringify(shown).includes(secret), secret);
  const plan = (token: string, value: unknown) =>
    send(stage.front, 'POST', '/v1/policy/plan', value, { token });
  const own = { edits: [{ target: 'tenant alice', set: { package: 'small', cpu: '20%' } }] };
  const made = okay<PolicyPlan>(await plan(acme.token, own));
  assert.ok(!JSON.stringify(made).includes('carol'));
  const other = { edits: [{ target: 'tenant bob', set: { cpu: '20%' } }] };
  const missing = { edits: [{ target: 'tenant nobody', set: { cpu: '20%' } }] };
  const [refused, unknown] = [await plan(acme.token, other), await plan(acme.token, missing)];
  // It does not learn who exists.
  assert.deepEqual([refused.status, refused.text], [unknown.status, unknown.text]);
  const asAlice = await stage.login(uids.acme, '?as=alice');
  assert.equal((await get(asAlice.token)).status, 403);
  assert.equal((await plan(asAlice.token, own)).status, 403);
  const alice = await stage.login(uids.alice);
  assert.equal((await get(alice.token)).status, 403);
  assert.equal((await plan(alice.token, own)).status, 403);
  const rootAsAcme = await stage.login(0, '?as=acme');
  assert.deepEqual(okay<PolicyResponse>(await get(rootAsAcme.token)).may, ['limits', 'packages']);
  assert.equal((await plan(rootAsAcme.token, other)).status, 400);
  const jailed = await ask(stage.jailed, '/v1/policy', { uid: uids.acme });
  assert.equal(jailed.status, 403);
});

/** Plans and writes an edit of a session. */
async function change(stage: Stage, token: string, cpu: string, more: object = {}) {
  const edit = { edits: [{ target: 'tenant alice', set: { cpu } }], ...more };
  const plan = await send(stage.front, 'POST', '/v1/policy/plan', edit, { token });
  const { etag, planId } = okay<PolicyPlan>(plan);
  const write = { ...edit, planned: planId };
  return send(stage.front, 'PUT', '/v1/policy', write, { token, etag });
}

test('a change can be made while the one before is applied, and each waits for its own apply', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  recordInForce(stage);
  const applies: PromiseWithResolvers<void>[] = [];
  stage.apply = () => {
    const apply = Promise.withResolvers<void>();
    applies.push(apply);
    return apply.promise;
  };
  const answered: string[] = [];
  const begin = async (uid: number, cpu: string) => {
    const { token } = await stage.login(uid);
    const count = applies.length;
    const reply = change(stage, token, cpu).finally(() => answered.push(cpu));
    await eventually('it is written', () => applies.length > count);
    return { token, reply };
  };
  const first = await begin(uids.acme, '21%');
  const own = await send(stage.front, 'POST', '/v1/policy/plan', {}, first);
  assert.equal(own.status, 429, own.text);
  const second = await begin(0, '22%');
  const { tenants } = okay<PolicyResponse>(await stage.with(second.token, '/v1/policy'));
  assert.match(JSON.stringify(tenants), /22%/);
  assert.deepEqual(answered, []);
  applies[1]?.resolve();
  okay<PolicyWritten>(await second.reply);
  assert.deepEqual(answered, ['22%']);
  applies[0]?.resolve();
  okay<PolicyWritten>(await first.reply);
  const changes = okay<PolicyChangesResponse>(await stage.with(second.token, '/v1/policy/changes'));
  // The first is the text as it was found.
  assert.equal(changes.total, 3);
});

test('a reseller does not learn what failed elsewhere on the host', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const problem = 'Cannot set cpu.max of tenant "carol": /sys/fs/cgroup has no space';
  stage.applying = { state: 'failed', problems: [problem] };
  const acme = await stage.login(uids.acme);
  const written = okay<PolicyWritten>(await change(stage, acme.token, '20%'));
  assert.equal(written.state, 'failed');
  assert.equal(written.failures.length, 1);
  for (const secret of ['carol', '/sys', stage.policyFile])
    assert.ok(!JSON.stringify(written).includes(secret), secret);
  const root = await stage.login(0);
  const seen = okay<PolicyWritten>(await change(stage, root.token, '30%'));
  assert.deepEqual(seen.failures, [problem]);
});

test('a reseller makes no change of root permanent', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const [root, acme] = [await stage.login(0), await stage.login(uids.acme)];
  const tried = await change(stage, root.token, '30%', { revertAfterSeconds: 60 });
  const { pending } = okay<PolicyWritten>(tried);
  assert.ok(pending);
  // The same value, and one that only root's change would allow.
  const refused = await change(stage, acme.token, '20%');
  assert.equal(refused.status, 409, refused.text);
  const after = Number(refused.headers['retry-after']);
  assert.ok(after >= 1 && after <= 60, refused.text);
  assert.match(refused.text, new RegExp(`retry in ${after} s`));
  const kept = okay<PolicyResponse>(await stage.with(root.token, '/v1/policy'));
  assert.equal(kept.pending?.change, pending.change);
  okay(await send(stage.front, 'POST', '/v1/policy/keep', { change: pending.change }, root));
  okay(await change(stage, acme.token, '20%'));
});

/** Plans and writes edits that need not be of alice. */
async function edit(stage: Stage, token: string, target: string, set: object, more: object = {}) {
  const wanted = { edits: [{ target, set }], ...more };
  const { etag, planId } = okay<PolicyPlan>(
    await send(stage.front, 'POST', '/v1/policy/plan', wanted, { token }),
  );
  return send(stage.front, 'PUT', '/v1/policy', { ...wanted, planned: planId }, { token, etag });
}

const delegatedTwice = delegated.replace(
  '<tenant user="bob"/>',
  '<reseller user="globex" may="limits"><cpu limit="300%"/><tenant user="bob"/></reseller>',
);

/** Begins the record of changes. */
function recordInForce({ paths, policyFile: file }: Stage): void {
  const text = readFileSync(file, 'utf8');
  const known = {
    way: 'by hand',
    outcome: 'in force',
    problems: [],
    keepMilliseconds: 1e9,
  } as const;
  assert.ok(recordApplied(paths, { file, text, ...known }).ok);
}

test('each account has a change of its own that goes back', async () => {
  await using stage = await Stage.start();
  stage.haveAccounts({ ...uids, root: 0, globex: 4001 });
  stage.adopt(delegatedTwice);
  recordInForce(stage);
  const [root, acme, globex] = [
    await stage.login(0),
    await stage.login(uids.acme),
    await stage.login(4001),
  ];
  const soon = { revertAfterSeconds: 3600 };
  const policy = async (token: string) =>
    okay<PolicyResponse>(await stage.with(token, '/v1/policy'));
  okay(await edit(stage, root.token, 'tenant carol', { cpu: '31%' }, soon));
  okay(await edit(stage, acme.token, 'tenant alice', { cpu: '32%' }, soon));
  const { pending } = okay<PolicyWritten>(
    await edit(stage, globex.token, 'tenant bob', { cpu: '33%' }, soon),
  );
  assert.equal(pending?.user, 'globex');
  assert.deepEqual(
    [(await policy(acme.token)).pending?.user, (await policy(acme.token)).othersPending],
    ['acme', undefined],
  );
  const seen = await policy(root.token);
  const others = (seen.othersPending ?? []).map(({ user }) => user).toSorted();
  assert.deepEqual([seen.pending?.user, others], ['root', ['acme', 'globex']]);
  const second = await edit(stage, acme.token, 'tenant alice', { memory: '1GiB' }, soon);
  assert.equal(second.status, 409, second.text);
  const after = Number(second.headers['retry-after']);
  assert.ok(after > 3000 && after <= 3600, second.text);
  const keep = (token: string, number: number | undefined) =>
    send(stage.front, 'POST', '/v1/policy/keep', { change: number }, { token });
  assert.equal((await keep(acme.token, pending.change)).status, 409);
  okay(await keep(root.token, pending.change));
  // Root wins: its later value stays, and what is left of acme's change goes back.
  okay(await edit(stage, root.token, 'tenant alice', { cpu: '34%' }));
  const undo = { undo: (await policy(root.token)).pending?.change };
  const plan = okay<PolicyPlan>(await send(stage.front, 'POST', '/v1/policy/plan', undo, root));
  const write = { ...undo, planned: plan.planId };
  okay(await send(stage.front, 'PUT', '/v1/policy', write, { ...root, etag: plan.etag }));
  assert.equal((await policy(root.token)).pending, undefined);
  const file = goingBackFile(stage.paths);
  const entries = JSON.parse(readFileSync(file, 'utf8')) as GoingBack[];
  assert.deepEqual(
    entries.map(({ user }) => user),
    ['acme'],
  );
  writeFileSync(file, JSON.stringify(entries.map((each) => ({ ...each, at: 0 }))));
  const lines: string[] = [];
  using changes = start(stage, lines);
  await changes.begin();
  const text = readFileSync(stage.policyFile, 'utf8');
  assert.match(text, /34%/);
  assert.match(text, /33%/);
  assert.doesNotMatch(text, /31%|32%/);
  assert.match(lines.join('\n'), /by acme stays: .*changed since/);
});

test('what went back does not come again with the change of another account', async () => {
  await using stage = await Stage.start();
  stage.haveAccounts({ ...uids, root: 0 });
  stage.adopt(delegated);
  const [root, acme] = [await stage.login(0), await stage.login(uids.acme)];
  const original = readFileSync(stage.policyFile, 'utf8');
  okay(await change(stage, acme.token, '21%', { revertAfterSeconds: 60 }));
  okay(await change(stage, root.token, '22%', { revertAfterSeconds: 3600 }));
  const file = goingBackFile(stage.paths);
  for (const user of ['acme', 'root']) {
    const entries = JSON.parse(readFileSync(file, 'utf8')) as GoingBack[];
    const due = entries.map((each) => ({ ...each, ...(each.user === user && { at: 0 }) }));
    writeFileSync(file, JSON.stringify(due));
    using changes = start(stage, []);
    await changes.begin();
    const text = readFileSync(stage.policyFile, 'utf8');
    assert.equal(text.includes('22%'), user === 'acme');
    assert.ok(!text.includes('21%'));
  }
  assert.ok(!existsSync(file));
  assert.ok(original.includes('<tenant user="alice"/>'));
});
