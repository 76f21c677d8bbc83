/** Login codes and sessions of the console, through the agent's real sockets. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import type {
  ConsoleCodeResponse,
  ConsoleFrame,
  ConsoleSessionResponse,
  ConsoleSessionsResponse,
  ConsoleSessionStart,
} from '../../src/agent/api/console-api.ts';
import type { TopResponse } from '../../src/agent/api/api.ts';
import { ask, policy, reasonOf, Stage, uids } from './stage.ts';

const isOpen = async (stage: Stage, token: string) =>
  (await stage.with(token, '/v1/console/session')).status === 200;

const names = async (stage: Stage, token: string) =>
  (await stage.with(token, '/v1/top?all=1')).json<TopResponse>().rows.map(({ name }) => name);

test('a code is exchanged once, and the session has the rights of who asked', async () => {
  await using stage = await Stage.start();
  const code = await stage.code(uids.bob);
  const started = await stage.exchange(code);
  assert.equal(started.status, 200, started.text);
  const { token, user, uid, role, readOnly } = started.json<
    ConsoleSessionResponse & { token: string }
  >();
  assert.deepEqual(
    { user, uid, role, readOnly },
    { user: 'bob', uid: uids.bob, role: 'member', readOnly: false },
  );
  assert.equal((await stage.exchange(code)).status, 401);
  assert.deepEqual(await names(stage, token), ['bob']);
  const root = await stage.login(0);
  assert.equal(root.role, 'administrator');
  assert.deepEqual((await names(stage, root.token)).sort(), ['acme', 'alice', 'bob', 'carol']);
});

test('neither a code nor a token is kept, only hashes, in a file for root', async () => {
  await using stage = await Stage.start();
  const { token } = await stage.login(uids.bob);
  const code = await stage.code(uids.bob);
  const file = `${stage.paths.runtime}/sessions`;
  const text = readFileSync(file, 'utf8');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!text.includes(token) && !text.includes(code));
  assert.ok(!stage.log.join('\n').includes(token));
});

test('a code is good for two minutes', async () => {
  await using stage = await Stage.start();
  const code = await stage.code(uids.bob);
  stage.now += 120;
  assert.equal((await stage.exchange(code)).status, 401);
});

test('no other token, secret of another kind, or header is a session', async () => {
  await using stage = await Stage.start();
  const { token, id } = await stage.login(0);
  const code = await stage.code(0);
  const last = token.endsWith('A') ? 'B' : 'A';
  const wrong = [code, id, '', `${token}A`, token.slice(0, -1), `${token.slice(0, -1)}${last}`];
  for (const each of wrong) assert.equal((await stage.with(each, '/v1/top')).status, 401, each);
  const headers = {
    cookie: `session=${token}`,
    'x-remote-user': 'root',
    'x-forwarded-for': '127.0.0.1',
    forwarded: 'for=127.0.0.1',
  };
  assert.equal((await ask(stage.front, '/v1/top', { headers })).status, 401);
  assert.equal((await stage.with(token, '/v1/top')).status, 200);
});

test("T8: the front's uid gives no rights", async () => {
  await using stage = await Stage.start();
  stage.haveAccounts({ ...uids, 'bulkhead-console': 990 });
  for (const uid of [0, 990]) {
    assert.equal((await ask(stage.front, '/v1/status', { uid })).status, 401);
    assert.equal((await ask(stage.front, '/v1/top', { uid })).status, 401);
  }
  for (const path of ['/v1/console/codes', '/v1/console/end?all=1', '/v1/alerts/test'])
    assert.equal((await ask(stage.front, path, { method: 'POST' })).status, 401, path);
  // Another account is not even heard.
  await assert.rejects(ask(stage.front, '/v1/top', { uid: uids.bob }));
});

test('only processes outside jails get codes, and sessions none', async () => {
  await using stage = await Stage.start();
  const jailed = await ask(stage.jailed, '/v1/console/codes', { method: 'POST', uid: uids.bob });
  assert.equal(jailed.status, 403);
  const { token } = await stage.login(0);
  assert.equal((await stage.with(token, '/v1/console/codes', 'POST')).status, 403);
  assert.equal((await stage.makeCode(uids.nobody)).status, 403);
  const direct = await ask(stage.control, '/v1/console/session', {
    method: 'POST',
    uid: uids.bob,
    headers: { authorization: `Code ${await stage.code(uids.bob)}` },
  });
  assert.equal(direct.status, 404);
});

test('root logs in as a tenant, and a tenant as nobody else', async () => {
  await using stage = await Stage.start();
  const session = await stage.login(0, '?as=alice');
  assert.deepEqual([session.user, session.by, session.readOnly], ['alice', 'root', false]);
  assert.deepEqual(await names(stage, session.token), ['alice']);
  assert.equal((await stage.with(session.token, '/v1/status')).status, 403);
  for (const other of ['alice', 'acme', 'root', '0', 'carol'])
    assert.equal((await stage.makeCode(uids.bob, `?as=${other}`)).status, 404, other);
  assert.equal((await stage.login(uids.bob, '?as=bob')).user, 'bob');
  assert.equal((await stage.makeCode(0, '?as=missing')).status, 404);
});

test("a reseller's session as its tenant sees no more than the reseller, and changes nothing", async () => {
  await using stage = await Stage.start();
  const session = await stage.login(uids.acme, '?as=alice');
  assert.deepEqual([session.by, session.readOnly], ['acme', true]);
  assert.deepEqual(await names(stage, session.token), ['alice']);
  const apps = await stage.with(session.token, '/v1/tenants/alice/apps');
  assert.equal(apps.status, 403, apps.text);
  const change = '/v1/tenants/alice/apps?set=a&command=id';
  assert.equal((await stage.with(session.token, change, 'POST')).status, 403);
  assert.equal((await stage.makeCode(uids.acme, '?as=bob')).status, 404);
  assert.equal((await stage.makeCode(uids.acme, '?as=root')).status, 404);
  // The tenant moves to another reseller.
  stage.adopt(`<reseller user="acme"/><tenant user="alice"/><tenant user="bob"/>`);
  assert.equal((await stage.with(session.token, '/v1/top')).status, 403);
  assert.equal((await stage.with(session.token, '/v1/console/frame')).status, 403);
});

test('T6: a session for a frame can change nothing, and end only itself', async () => {
  await using stage = await Stage.start();
  const other = await stage.login(0);
  const framed = await stage.login(0, '?embed=1');
  assert.equal(framed.readOnly, true);
  assert.equal((await stage.with(framed.token, '/v1/top')).status, 200);
  for (const path of ['/v1/alerts/test', '/v1/digest?use=90%25', `/v1/console/end?id=${other.id}`])
    assert.notEqual((await stage.with(framed.token, path, 'POST')).status, 200, path);
  const own = await stage.login(uids.bob, '?embed=1');
  for (const path of ['/v1/alerts/test', '/v1/digest?every=off', '/v1/tenants/bob/apps?remove=a']) {
    const reply = await stage.with(own.token, path, 'POST');
    assert.deepEqual([reply.status, reasonOf(reply)], [403, 'this session can change nothing']);
  }
  assert.equal((await stage.with(other.token, '/v1/alerts/test', 'POST')).status, 200);
  assert.equal((await stage.with(framed.token, '/v1/console/end', 'POST')).status, 200);
  assert.equal(await isOpen(stage, framed.token), false);
  assert.equal(await isOpen(stage, other.token), true);
});

test('a session ends after its idle time and after its whole time', async () => {
  await using stage = await Stage.start();
  const [root, bob] = [await stage.login(0), await stage.login(uids.bob)];
  stage.now += 29 * 60;
  assert.equal((await stage.with(root.token, '/v1/top')).status, 200);
  stage.now += 29 * 60;
  // What a page asks without anybody doing anything keeps no session.
  assert.equal((await stage.with(root.token, '/v1/console/frame')).status, 200);
  stage.now += 60;
  assert.equal((await stage.with(root.token, '/v1/top')).status, 401);
  for (let hour = 1; hour < 24; hour++) {
    stage.now += 3600;
    assert.equal((await stage.with(bob.token, '/v1/top')).status, 200, `after ${hour} hours`);
  }
  stage.now += 3600;
  assert.equal((await stage.with(bob.token, '/v1/top')).status, 401);
});

test('sessions survive a restart of the agent and no reboot; ended ones do not come back', async () => {
  await using stage = await Stage.start();
  const [kept, ended] = [await stage.login(uids.bob), await stage.login(uids.bob)];
  assert.equal((await stage.with(ended.token, '/v1/console/end', 'POST')).status, 200);
  await stage.begin();
  // Before a policy is applied, nobody knows the members.
  assert.equal(await isOpen(stage, kept.token), true);
  stage.adopt(policy);
  assert.equal(await isOpen(stage, kept.token), true);
  assert.equal(await isOpen(stage, ended.token), false);
  await stage.end();
  const file = `${stage.paths.runtime}/sessions`;
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/"boot":"/, '"boot":"other'));
  await stage.begin();
  assert.equal(await isOpen(stage, kept.token), false);
});

test('a file of sessions that others can write, or that is damaged, is not used', async () => {
  await using stage = await Stage.start();
  const { token } = await stage.login(0);
  await stage.end();
  const file = `${stage.paths.runtime}/sessions`;
  const good = readFileSync(file, 'utf8');
  const bad = [
    '',
    '[]',
    good.slice(0, -9),
    good.replace('"uid":0', '"uid":-1'),
    good.replace('"readOnly":false', '"readOnly":0'),
  ];
  for (const text of bad) {
    writeFileSync(file, text, { mode: 0o600 });
    await stage.begin();
    assert.equal(await isOpen(stage, token), false, text);
    await stage.end();
  }
  writeFileSync(file, good);
  const { chmodSync } = await import('node:fs');
  chmodSync(file, 0o620);
  await stage.begin();
  assert.equal(await isOpen(stage, token), false);
  await stage.end();
  assert.ok(stage.log.some((line) => line.includes('others can read or write it')));
  chmodSync(file, 0o600);
  writeFileSync(file, good);
  await stage.begin();
  assert.equal(await isOpen(stage, token), true);
});

test('deleted, renamed and replaced accounts lose their sessions and codes', async () => {
  await using stage = await Stage.start();
  const { bob: _bob, ...others } = uids;
  const changes: readonly (() => void)[] = [
    () => stage.haveAccounts(others),
    () => stage.haveAccounts({ ...others, robert: uids.bob }),
    () => stage.haveAccounts({ ...others, bob: 5999 }),
    () => stage.adopt(`<tenant user="carol"/>`),
  ];
  for (const change of changes) {
    const { token } = await stage.login(uids.bob);
    const code = await stage.code(uids.bob);
    assert.equal(await isOpen(stage, token), true);
    change();
    assert.equal((await stage.with(token, '/v1/top')).status, 401, String(change));
    assert.equal((await stage.exchange(code)).status, 401, String(change));
    stage.haveAccounts(uids);
    stage.adopt(policy);
    // It is somebody else's now, or was away.
    assert.equal((await stage.with(token, '/v1/top')).status, 401, String(change));
  }
});

test("a reseller's session as its tenant ends with the reseller's account", async () => {
  await using stage = await Stage.start();
  const { token } = await stage.login(uids.acme, '?as=alice');
  const { acme: _acme, ...others } = uids;
  stage.haveAccounts(others);
  assert.equal((await stage.with(token, '/v1/top')).status, 401);
});

test('T13: an account that makes many codes and sessions loses only its own', async () => {
  await using stage = await Stage.start();
  const root = await stage.login(0);
  const alice = await stage.login(uids.alice);
  const codes: string[] = [];
  for (let made = 0; made < 6; made++) codes.push(await stage.code(0, '?as=carol'));
  const replies = await Promise.all(codes.map((code) => stage.exchange(code)));
  assert.deepEqual(replies.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 401, 401]);
  const bobs: string[] = [];
  for (let made = 0; made < 9; made++) bobs.push((await stage.login(uids.bob)).token);
  const open = await Promise.all(bobs.map((token) => isOpen(stage, token)));
  assert.deepEqual(open, [false, ...Array<boolean>(8).fill(true)]);
  // Each reseller's codes count for the reseller.
  for (let made = 0; made < 9; made++) await stage.login(uids.acme, '?as=alice');
  assert.equal(await isOpen(stage, alice.token), true);
  assert.equal(await isOpen(stage, root.token), true);
  const refused = await Promise.all(Array.from({ length: 12 }, () => stage.makeCode(uids.bob)));
  assert.ok(refused.some(({ status }) => status === 429));
  assert.equal((await stage.makeCode(0)).status, 200);
});

test('sessions are listed and ended by those whom they concern', async () => {
  await using stage = await Stage.start();
  const root = await stage.login(0);
  const bob = await stage.login(uids.bob);
  const alice = await stage.login(uids.acme, '?as=alice');
  const list = async (uid: number) => {
    const reply = await ask(stage.control, '/v1/console/sessions', { uid });
    return reply.json<ConsoleSessionsResponse>().sessions.map(({ id }) => id);
  };
  assert.deepEqual(await list(0), [root.id, bob.id, alice.id]);
  assert.deepEqual(await list(uids.bob), [bob.id]);
  assert.deepEqual(await list(uids.acme), [alice.id]);
  assert.deepEqual(await list(uids.alice), [alice.id]);
  assert.deepEqual(await list(uids.carol), []);
  const end = (uid: number, query: string) =>
    ask(stage.control, `/v1/console/end?${query}`, { method: 'POST', uid });
  assert.equal((await end(uids.bob, `id=${root.id}`)).status, 404);
  assert.equal((await end(uids.bob, '')).status, 400);
  assert.deepEqual((await end(uids.bob, 'all=1')).json(), { ended: 1 });
  assert.equal(await isOpen(stage, bob.token), false);
  assert.deepEqual((await end(0, 'all=1')).json(), { ended: 2 });
  assert.equal(await isOpen(stage, root.token), false);
});

test('a frame has what its session may see, and names its audience', async () => {
  await using stage = await Stage.start();
  stage.tick(7, { [uids.alice]: 0.123456, [uids.bob]: 2 });
  const frameOf = async (token: string) => {
    const reply = await stage.with(token, '/v1/console/frame');
    assert.equal(reply.status, 200, reply.text);
    const { members, usage, idle } = reply.json<ConsoleFrame>();
    return { members, cpu: usage.cpu, idle, audience: reply.headers['bulkhead-audience'] };
  };
  const root = await frameOf((await stage.login(0)).token);
  const [alice, bob] = [`u${uids.alice}`, `u${uids.bob}`] as const;
  assert.deepEqual(root, { members: [alice, bob], cpu: [0.1235, 2], idle: 2, audience: 'all' });
  const own = await frameOf((await stage.login(uids.bob)).token);
  assert.deepEqual(own, { members: [bob], cpu: [2], idle: 0, audience: `uid ${uids.bob}` });
  const lent = await frameOf((await stage.login(uids.acme, '?as=alice')).token);
  assert.deepEqual(lent.audience, `uid ${uids.alice} by ${uids.acme}`);
  assert.equal((await ask(stage.control, '/v1/console/frame')).status, 403);
});

test('a session of its own opens views of others, which read, end with it, and open no more', async () => {
  await using stage = await Stage.start();
  const root = await stage.login(0);
  const viewOf = async (token: string, as: string) => {
    const made = await stage.with(token, `/v1/console/view?as=${as}`, 'POST');
    return made.status === 200 ? stage.exchange(made.json<ConsoleCodeResponse>().code) : made;
  };
  const started = await viewOf(root.token, 'alice');
  const view = started.json<ConsoleSessionStart>();
  const { user, by, readOnly, role } = view;
  assert.deepEqual([user, by, readOnly, role], ['alice', 'root', true, 'member']);
  assert.deepEqual(await names(stage, view.token), ['alice']);
  assert.equal((await viewOf(view.token, 'alice')).status, 403);
  const acme = await stage.login(uids.acme);
  const lent = (await viewOf(acme.token, 'alice')).json<ConsoleSessionStart>();
  assert.deepEqual(await names(stage, lent.token), ['alice']);
  assert.equal((await viewOf(acme.token, 'bob')).status, 404);
  assert.equal((await viewOf(acme.token, 'acme')).status, 400);
  assert.equal((await viewOf((await stage.login(uids.bob)).token, 'alice')).status, 404);
  for (const query of ['?as=acme', '?embed=1', '?as=alice']) {
    const { token } = await stage.login(0, query);
    assert.equal((await viewOf(token, 'alice')).status, 403, query);
  }
  const asked = await ask(stage.control, '/v1/console/view?as=alice', { method: 'POST' });
  assert.equal(asked.status, 403);
  await stage.begin();
  assert.ok(await isOpen(stage, view.token), 'it survives a restart of the agent');
  const late = await stage.with(root.token, '/v1/console/view?as=bob', 'POST');
  const { code } = late.json<ConsoleCodeResponse>();
  assert.equal((await stage.with(root.token, '/v1/console/end', 'POST')).status, 200);
  assert.equal(await isOpen(stage, view.token), false);
  assert.equal((await stage.exchange(code)).status, 401);
  assert.ok(await isOpen(stage, lent.token));
});

test('use of a view keeps the session awake that it was opened from, for as long as that may last', async () => {
  await using stage = await Stage.start();
  const root = await stage.login(0);
  const { code } = (
    await stage.with(root.token, '/v1/console/view?as=alice', 'POST')
  ).json<ConsoleCodeResponse>();
  const view = (await stage.exchange(code)).json<ConsoleSessionStart>();
  const minutes = 60;
  assert.equal(view.idleSecondsLeft, 30 * minutes);
  const uses = (path = '/v1/top') => stage.with(view.token, path).then(({ status }) => status);
  for (let turn = 1; turn < 24; turn++) {
    stage.now += 29 * minutes;
    assert.equal(await uses(), 200, `after ${29 * turn} minutes`);
  }
  assert.ok(await isOpen(stage, root.token));
  stage.now += 29 * minutes;
  // What a page asks without anybody doing anything keeps neither.
  assert.equal(await uses('/v1/console/frame'), 200);
  const left = (await stage.with(view.token, '/v1/console/session')).json<ConsoleSessionResponse>();
  assert.ok(left.idleSecondsLeft <= 24 * minutes && left.secondsLeft <= 24 * minutes);
  stage.now += 24 * minutes;
  assert.equal(await uses(), 401);
  assert.equal(await isOpen(stage, root.token), false);
});

test('T13: connections to the socket of the front are bounded', async () => {
  await using stage = await Stage.start();
  const sockets = Array.from({ length: 300 }, () => connect(stage.front));
  const closed = new Promise((resolve) => {
    let count = 0;
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.once('close', () => ++count === 44 && resolve(count));
    }
  });
  await closed;
  for (const socket of sockets) socket.destroy();
  assert.equal((await ask(stage.control, '/v1/console/sessions')).status, 200);
});
