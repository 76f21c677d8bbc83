/** The record of logins to the console: what is in it, who sees it, and that nobody fills it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsoleLoginsResponse } from '../../src/agent/api/console-api.ts';
import { recordApplied, withRecord } from '../../src/apply/change-record.ts';
import { LoginStore } from '../../src/store/changes/login-store.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { value } from '../store/samples.ts';
import { ask, Stage, uids } from './stage.ts';

async function loginsOf(stage: Stage) {
  const reply = await ask(stage.control, '/v1/console/logins');
  assert.equal(reply.status, 200, reply.text);
  return reply.json<ConsoleLoginsResponse>().logins.map(({ at, ...rest }) => {
    assert.ok(Math.abs(at - Date.now()) < 60_000);
    return rest;
  });
}

test('logins and ended sessions are recorded, without secrets, and survive a restart', async () => {
  await using stage = await Stage.start();
  const code = await stage.code(0, '?as=alice&embed=1');
  const { id, token } = (await stage.exchange(code)).json<{ id: string; token: string }>();
  const bob = await stage.login(uids.bob);
  assert.equal((await stage.with(bob.token, '/v1/console/end', 'POST')).status, 200);
  await ask(stage.control, `/v1/console/end?id=${id}`, { method: 'POST' });
  const alice = { session: id, user: 'alice', uid: uids.alice, by: 'root', readOnly: true };
  const own = { session: bob.id, user: 'bob', uid: uids.bob, by: 'bob', readOnly: false };
  const expected = [
    { kind: 'ended', ...alice },
    { kind: 'ended', ...own },
    { kind: 'began', ...own },
    { kind: 'began', ...alice },
  ];
  assert.deepEqual(await loginsOf(stage), expected);
  await stage.begin();
  const after = await loginsOf(stage);
  assert.deepEqual(after, expected);
  const text = JSON.stringify(after);
  assert.ok(!text.includes(code) && !text.includes(token) && !text.includes(bob.token));
});

test('wrong codes and tokens are one row with their number', async () => {
  await using stage = await Stage.start();
  for (let count = 0; count < 30; count++) {
    assert.equal((await stage.exchange(String(count).padStart(43, 'A'))).status, 401);
    assert.equal((await stage.with(String(count).padStart(43, 'B'), '/v1/top')).status, 401);
  }
  await stage.begin();
  assert.deepEqual(await loginsOf(stage), [{ kind: 'refused', count: 60 }]);
});

test('only root sees who logged in', async () => {
  await using stage = await Stage.start();
  const [root, alice] = [await stage.login(0, '?embed=1'), await stage.login(0, '?as=alice')];
  const path = '/v1/console/logins';
  assert.equal((await stage.with(root.token, path)).status, 200);
  assert.equal((await stage.with(alice.token, path)).status, 403);
  for (const uid of [uids.acme, uids.alice])
    assert.equal((await ask(stage.control, path, { uid })).status, 403);
  assert.equal((await ask(stage.jailed, path, { uid: uids.alice })).status, 403);
});

test('logins wait while a command writes the record, and nobody waits for them', async () => {
  await using stage = await Stage.start();
  await stage.login(uids.carol);
  await loginsOf(stage);
  const lock = lockFile(`${stage.paths.state}/history/changes.lock`, { waitMs: 0 });
  assert.ok(lock.ok);
  {
    using _held = lock.value;
    await stage.login(uids.bob);
    assert.notEqual((await ask(stage.control, '/v1/console/logins')).status, 200);
  }
  assert.deepEqual(
    (await loginsOf(stage)).map(({ user }) => user),
    ['bob', 'carol'],
  );
});

test('LoginStore.add() keeps 200 rows of each account, and more of root', () => {
  using directory = temporaryDirectory('logins');
  using store = new LoginStore(directory.path);
  const rows = (uid: number, count: number) =>
    Array.from({ length: count }, (_, at) => ({ at, kind: 'began' as const, uid }));
  value(store.add(rows(0, 300)));
  value(store.add(rows(5001, 250)));
  value(store.add(rows(5002, 10)));
  const kept = value(store.list(0, 1e15, 1e6));
  const countOf = (uid: number) => kept.filter((each) => each.uid === uid).length;
  assert.deepEqual([0, 5001, 5002].map(countOf), [300, 200, 10]);
  assert.equal(kept.find(({ uid }) => uid === 5001)?.at, 249);
});

test('a record that has only logins begins with a policy that came in force', async () => {
  await using stage = await Stage.start();
  await stage.login(0);
  await loginsOf(stage);
  const text = '<bulkhead version="1"/>';
  const applied = { file: '/p.xml', text, way: 'by hand', problems: [] };
  const count = () =>
    value(withRecord(stage.paths, (store) => store.list(0, Number.MAX_SAFE_INTEGER))).length;
  value(recordApplied(stage.paths, { ...applied, outcome: 'refused' }));
  assert.equal(count(), 0);
  value(recordApplied(stage.paths, { ...applied, outcome: 'in force' }));
  assert.equal(count(), 1);
});
