/** The policy through the front of the console and the agent's API, without cgroups. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type {
  PolicyConflict,
  PolicyPlan,
  PolicyResponse,
  PolicyWritten,
} from '../../src/agent/api/policy-api.ts';
import {
  announceGoingBack,
  goingBackFile,
  type GoingBack,
} from '../../src/agent/policy/going-back.ts';
import { PolicyChanges } from '../../src/agent/policy/policy-changes.ts';
import { keyOfText } from '../../src/store/changes/change-store.ts';
import { allowedNames } from '../../src/console/core/hosts.ts';
import { Front } from '../../src/console/io/front.ts';
import { readServedFiles } from '../../src/console/io/served-files.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { ask, Stage, uids, type Reply } from './stage.ts';

const delegated = `
  <!-- for root's eyes -->
  <defaults><cpu limit="100%"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="hidden" for="globex"><cpu limit="60%"/></package>
  <reseller user="acme" may="limits packages">
    <cpu limit="200%"/>
    <tenant user="alice"/>
  </reseller>
  <tenant user="bob"/><tenant user="carol"/>
`;

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
  const refused = await change(stage, acme.token, '20%');
  assert.equal(refused.status, 409, refused.text);
  const kept = okay<PolicyResponse>(await stage.with(root.token, '/v1/policy'));
  assert.equal(kept.pending?.change, pending.change);
  // Its own change is one that root may replace.
  okay(await send(stage.front, 'POST', '/v1/policy/keep', { change: pending.change }, root));
  okay(await change(stage, acme.token, '20%', { revertAfterSeconds: 60 }));
  okay(await change(stage, root.token, '10%'));
});

/** A change that was announced, and that has the text of now unless another one is given. */
function pendingOf(stage: Stage, seconds: number, changes: Partial<GoingBack> = {}): GoingBack {
  const now = readFileSync(stage.policyFile, 'utf8');
  const before = now.replace('user="bob"', 'user="bob" package="small"');
  return {
    file: stage.policyFile,
    before,
    beforeKey: keyOfText(before),
    afterKey: keyOfText(now),
    at: Date.now() + seconds * 1000,
    seconds: Math.max(seconds, 60),
    user: 'root',
    uid: 0,
    ...changes,
  };
}

function start(stage: Stage, applied: string[]): PolicyChanges {
  const add = (line: unknown) => void applied.push(String(line));
  return new PolicyChanges({
    paths: stage.paths,
    file: stage.policyFile,
    log: { info: add, error: add },
    apply: () => Promise.resolve(),
    state: () => ({ file: '', state: 'in force', stateChangedAt: 0, problems: [] }),
  });
}

test('a start after the time writes the text before back', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const lines: string[] = [];
  const entry = pendingOf(stage, -5);
  assert.ok(announceGoingBack(stage.paths, entry).ok);
  using changes = start(stage, lines);
  await changes.begin();
  assert.equal(readFileSync(stage.policyFile, 'utf8'), entry.before);
  assert.ok(!existsSync(goingBackFile(stage.paths)));
  assert.match(lines.join('\n'), /went back/);
});

test('a change that was killed before it was written leaves the one before as it is', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const lines: string[] = [];
  const first = pendingOf(stage, 1);
  const second = pendingOf(stage, 3600, { afterKey: 'f'.repeat(64) });
  for (const each of [first, second]) assert.ok(announceGoingBack(stage.paths, each).ok);
  using changes = start(stage, lines);
  await changes.begin();
  await eventually('it goes back', () => readFileSync(stage.policyFile, 'utf8') === first.before);
});

test('an edit while no agent ran, or a damaged file, cancels it', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const now = readFileSync(stage.policyFile, 'utf8');
  for (const damage of [
    () => announceGoingBack(stage.paths, pendingOf(stage, -5, { afterKey: 'f'.repeat(64) })),
    () => writeFileSync(goingBackFile(stage.paths), '[{"at":0,"before":1}]'),
    () => writeFileSync(goingBackFile(stage.paths), '\u0000'),
  ]) {
    damage();
    using changes = start(stage, []);
    await changes.begin();
    assert.equal(readFileSync(stage.policyFile, 'utf8'), now);
  }
});

test('a clock that was set back makes the time no longer', async () => {
  await using stage = await Stage.start();
  stage.adopt(delegated);
  const entry = pendingOf(stage, 0, { at: Date.now() + 1e10, seconds: 60 });
  assert.ok(announceGoingBack(stage.paths, entry).ok);
  const { token } = await stage.login(0);
  const { pending } = okay<PolicyResponse>(await stage.with(token, '/v1/policy'));
  assert.ok(pending && pending.secondsLeft <= 60);
});
