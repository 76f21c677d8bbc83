/** Tenants define applications themselves: who may, how many, and what stays in force. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { namedApps } from '../../src/app/commands/subject.ts';
import type { AppPlan } from '../../src/app/io/plan.ts';
import { undoApps } from '../../src/app/commands/undo.ts';
import { ChangePace } from '../../src/agent/changes/change-pace.ts';
import { appPolicy } from '../../src/app/io/policy-part.ts';
import { knowsApps, wantsApps } from '../../src/app/io/reconcile.ts';
import { acme, alice, body, bob, OwnAppsStage } from './own-apps-stage.ts';

let stage: OwnAppsStage;
beforeEach(() => (stage = new OwnAppsStage()));
afterEach(() => stage[Symbol.dispose]());

const blog = { set: 'blog', command: 'node server.js', directory: '/home/alice/blog' };
const rows = async () => {
  const listed = await stage.list(alice);
  assert.ok(listed.ok, JSON.stringify(listed));
  return listed.value.apps.map(({ name, by, state, reason }) => [name, by, state, reason]);
};

test('a tenant defines an application, changes it, and removes it', async () => {
  // Without systemd nothing opens its socket.
  assert.equal(await stage.set(alice, blog), 'kept');
  assert.deepEqual(stage.units(), ['5001:blog.service', '5001:blog.socket']);
  assert.match(stage.unit('5001:blog.service'), /alice -- node server.js$/m);
  assert.match(
    stage.unit('5001:blog.socket'),
    /^ListenStream=\/run\/bulkhead-test-app\/5001\/blog.sock$/m,
  );
  assert.equal(statSync(stage.file(alice)).mode & 0o777, 0o600);
  assert.equal(
    await stage.set(alice, { ...blog, command: 'node other.js', idle: 'never' }),
    'kept',
  );
  assert.match(stage.unit('5001:blog.service'), /-- node other.js$/m);
  assert.deepEqual(stage.log, [
    'alice has defined its application blog',
    'alice has defined its application blog',
  ]);
  assert.equal(await stage.set(alice, { remove: 'blog' }), 'in force');
  assert.deepEqual(stage.units(), []);
  assert.ok(!existsSync(stage.file(alice)));
});

test('it may also from its jail, and nobody else may', async () => {
  assert.equal(await stage.set({ kind: 'jailed', uid: alice }, blog), 'kept');
  for (const caller of [acme, bob, 0, { kind: 'token' }, { kind: 'jailed', uid: bob }] as const)
    assert.match(await stage.set(caller, blog), /^40[34] /, JSON.stringify(caller));
  assert.match(await stage.set(alice, blog, 'bob'), /^404 there is none with that name/);
  // The command names whoever runs it by the uid.
  assert.match(await stage.set(acme, blog, String(acme)), /^404 you are not a tenant/);
  assert.match(await stage.set(4999, blog, '4999'), /^404 you are not a tenant/);
  for (const caller of [acme, bob, { kind: 'token' }] as const)
    assert.ok(!(await stage.list(caller)).ok, JSON.stringify(caller));
  for (const caller of [0, alice, { kind: 'jailed', uid: alice }] as const)
    assert.ok((await stage.list(caller)).ok, JSON.stringify(caller));
});

test('a jail sends nothing but applications of its own tenant', async () => {
  const jailed = { kind: 'jailed', uid: alice } as const;
  const apps = '/v1/tenants/alice/apps';
  const own = await stage.fetch(jailed, 'POST', `${apps}?set=blog&command=node+server.js`);
  assert.match(own, /^200 .*"state":"kept"/);
  assert.match(await stage.fetch(jailed, 'GET', apps), /^200 .*"name":"alice\/blog"/);
  for (const path of [
    '/v1/tenants/alice/limits?set=cpu=1%25',
    '/v1/tenants/alice/limits/../limits?x=/apps',
    '/v1/tenants/alice%2Fapps/limits',
    '/v1/alerts/test',
    '/v1/alerts/test?/apps',
    '/v1/tenants//apps',
    '/v1/tenants/alice/apps/',
  ])
    assert.match(
      await stage.fetch(jailed, 'POST', path),
      /^403 .*only applications can be changed/,
      path,
    );
  for (const method of ['PUT', 'DELETE', 'PATCH'])
    assert.match(await stage.fetch(jailed, method, apps), /^404 /, method);
  assert.match(await stage.fetch(jailed, 'POST', '/v1/tenants/bob/apps?remove=blog'), /^404 /);
});

for (const kind of ['jailed', 'uid'] as const)
  test(`while its change is applied, a tenant asks, and begins no other (${kind})`, async () => {
    const caller = { kind, uid: alice } as const;
    const apps = '/v1/tenants/alice/apps';
    const gate = Promise.withResolvers<void>();
    stage.gate = gate.promise;
    const answered: string[] = [];
    const change = (name: string) =>
      stage.fetch(caller, 'POST', `${apps}?set=${name}&command=x`).then((answer) => {
        answered.push(`${name} ${answer.slice(0, 3)}`);
        return answer;
      });
    const first = change('first');
    const others = Array.from({ length: 3 }, () => change('other'));
    for (const answer of await Promise.all(others))
      assert.match(answer, /^429 .*another change of yours is being made.*retry every 10 s/);
    assert.match(await stage.fetch(caller, 'GET', apps), /^200 /);
    assert.deepEqual(answered, ['other 429', 'other 429', 'other 429']);
    gate.resolve();
    assert.match(await first, /^200 .*"state":"kept"/);
  });

test('it may define as many as the policy says, and of a lower number the oldest stay', async () => {
  for (const name of ['b', 'a'])
    assert.equal(await stage.set(alice, { ...blog, set: name }), 'kept');
  assert.match(await stage.set(alice, { ...blog, set: 'c' }), /^409 you have 2 applications/);
  stage.adopt(body(1));
  assert.deepEqual(stage.plan().leaving, [
    'bulkhead-test-app@5001:a.service',
    'bulkhead-test-app@5001:a.socket',
  ]);
  await stage.look();
  assert.deepEqual(
    (await rows()).find(([name]) => name === 'alice/a')?.[3],
    'the policy allows this tenant 1 application of its own, and it has defined more',
  );
  assert.equal(await stage.set(alice, { ...blog, set: 'b', command: 'other' }), 'kept');
  stage.adopt(body(0));
  assert.match(
    await stage.set(alice, { ...blog, set: 'b' }),
    /^403 your plan includes no applications/,
  );
  assert.equal(stage.plan().apps.length, 0);
  stage.adopt(body(2));
  assert.equal(stage.plan().apps.length, 2);
});

test("the administrator's application of the same name takes precedence", async () => {
  await stage.set(alice, blog);
  stage.adopt(
    body(
      2,
      '<app name="blog" command="theirs" socket="/run/x/blog"/><app name="shop" command="x"/>',
    ),
  );
  stage.install();
  assert.match(stage.unit('5001:blog.service'), /-- theirs$/m);
  await stage.look();
  assert.deepEqual(
    (await rows()).flatMap(([name, by, state]) => (name === 'alice/blog' ? [[by, state]] : [])),
    [
      ['policy', 'unknown'],
      ['tenant', 'not allowed'],
    ],
  );
  assert.equal((await rows())[1]?.[3], 'the policy has an application of that name');
  assert.match(
    await stage.set(alice, { ...blog, set: 'shop' }),
    /^409 the administrator has defined "shop"/,
  );
});

test('a wrong definition changes nothing', async () => {
  await stage.set(alice, blog);
  const before = readFileSync(stage.file(alice), 'utf8');
  for (const query of [
    { ...blog, command: '' },
    { ...blog, idle: '1s' },
    { ...blog, directory: 'x' },
    { set: 'blog', remove: 'blog' },
    { command: 'x' },
    { set: '', command: 'x' },
  ] as const)
    assert.match(await stage.set(alice, query), /^400 /, JSON.stringify(query));
  for (const idle of ['1s', '59s', '0s'])
    assert.match(await stage.set(alice, { ...blog, idle }), /^400 idle: "\d+s" is less than 60s$/);
  assert.match(await stage.set(alice, { ...blog, command: '' }), /^400 command: it is not a/);
  assert.match(await stage.set(alice, { remove: 'other' }), /^404 /);
  assert.equal(readFileSync(stage.file(alice), 'utf8'), before);
  assert.deepEqual(stage.plan().changes, []);
});

test('definitions of a former owner of the uid are not in force, and are forgotten', async () => {
  await stage.set(alice, blog);
  const kept = readFileSync(stage.file(alice), 'utf8');
  stage.haveAccounts({ acme, mallory: alice, bob });
  stage.adopt(body(2).replace('alice', 'mallory'));
  assert.ok(!existsSync(stage.file(alice)));
  // A file that came back, as from a backup.
  writeFileSync(stage.file(alice), kept);
  assert.deepEqual([stage.plan().apps, stage.plan().leaving.length], [[], 2]);
  assert.equal(await stage.set(alice, { ...blog, set: 'own' }, 'mallory'), 'kept');
  assert.doesNotMatch(readFileSync(stage.file(alice), 'utf8'), /"name":"blog"/);
});

test('an account that came back with another home has none of the earlier definitions', async () => {
  stage.adopt(body(2), new Map([[alice, '1.1']]));
  await stage.set(alice, blog);
  assert.match(readFileSync(stage.file(alice), 'utf8'), /"home":"1\.1"/);
  stage.adopt(body(2), new Map());
  assert.equal(stage.plan().apps.length, 1);
  stage.adopt(body(2), new Map([[alice, '2.2']]));
  assert.deepEqual([stage.plan().apps, existsSync(stage.file(alice))], [[], false]);
});

test('units of a tenant whose definitions cannot be read stay as they are', async () => {
  await stage.set(alice, blog);
  await stage.set(bob, blog, 'bob');
  writeFileSync(stage.file(alice), '{"name":"ali');
  const plan = stage.plan();
  assert.match(plan.unreadable[0]?.reason ?? '', /damaged/);
  assert.deepEqual([plan.changes, plan.leaving], [[], []]);
  assert.match(await stage.set(alice, blog), /^503 /);
  assert.equal(await stage.set(bob, { remove: 'blog' }, 'bob'), 'in force');
});

test('where the policy allows none, or not any more, units go whatever the definitions are', async () => {
  await stage.set(alice, blog);
  const both = '<app name="shop" command="x"/>';
  stage.adopt(body(2, both));
  stage.install();
  writeFileSync(stage.file(alice), '{"name":"ali');
  assert.deepEqual(stage.plan().leaving, []);
  stage.adopt(body(2));
  const left = ({ leaving }: AppPlan) => leaving.map((each) => each.replace(/^.*@/, '')).sort();
  assert.deepEqual(left(stage.plan()), ['5001:shop.service', '5001:shop.socket']);
  stage.adopt(body(0, both));
  assert.deepEqual(left(stage.plan()), ['5001:blog.service', '5001:blog.socket']);
  const { isKnown } = stage.plan();
  assert.deepEqual([`${alice} blog`, `${bob} blog`].map(isKnown), [true, false]);
});

test('definitions that cannot be read are forgotten with the account', async () => {
  await stage.set(alice, blog);
  writeFileSync(stage.file(alice), '{"name":"ali');
  stage.adopt(body(2));
  assert.ok(existsSync(stage.file(alice)));
  stage.adopt('<tenant user="bob"/>');
  assert.ok(!existsSync(stage.file(alice)));
});

test('the list of disabled applications keeps none of a former account', async () => {
  const path = `${stage.paths.etc}/bulkhead-test/app/disabled`;
  mkdirSync(dirname(path), { recursive: true });
  const disable = () => writeFileSync(path, `${alice} blog\n${alice} shop\n${bob} x\n`);
  const left = () => (existsSync(path) ? readFileSync(path, 'utf8').match(/^\d.*$/gm) : []);
  await stage.set(alice, blog);
  disable();
  stage.adopt(body(2));
  assert.deepEqual(left(), [`${alice} blog`, `${alice} shop`, `${bob} x`]);
  // What the policy defines itself stays as the administrator wants it.
  stage.haveAccounts({ acme, mallory: alice, bob });
  const theirs = body(2, '<app name="shop" command="x"/>').replace('alice', 'mallory');
  stage.adopt(theirs);
  assert.deepEqual(left(), [`${alice} shop`, `${bob} x`]);
  stage.adopt('<tenant user="bob"/>');
  assert.deepEqual(left(), [`${bob} x`]);
});

test('a definition that is not valid any more is shown with the reason', async () => {
  await stage.set(alice, blog);
  const kept = readFileSync(stage.file(alice), 'utf8');
  writeFileSync(stage.file(alice), kept.replace('"name":"blog"', '"name":"blog","idle":"30s"'));
  await stage.look();
  assert.deepEqual(await rows(), [
    [
      'alice/blog',
      'tenant',
      'not allowed',
      'its definition is not valid: idle: "30s" is less than 60s',
    ],
  ]);
  writeFileSync(stage.file(alice), kept.replace('"name":"blog"', '"name":"../x"'));
  assert.match(stage.plan().unreadable[0]?.reason ?? '', /damaged/);
});

test('commands mean the application that is in force, and tell if that cannot be read', async () => {
  const named = (name: string) => namedApps(name, stage.policy, stage.layout);
  await stage.set(alice, blog);
  stage.adopt(body(2, '<app name="blog" command="theirs"/>'));
  for (const name of ['alice/blog', 'blog', '5001/blog']) {
    const found = named(name);
    assert.ok(found.ok);
    assert.deepEqual(
      found.value.map(({ app, isOwn }) => [app.command, isOwn]),
      [['theirs', false]],
    );
  }
  stage.adopt(body(0));
  const left = named('blog');
  assert.ok(left.ok && left.value.length === 1);
  writeFileSync(stage.file(alice), '{"name":"ali');
  const unread = named('alice/blog');
  assert.ok(!unread.ok);
  assert.match(unread.error.reason, /damaged/);
});

test('a tenant cannot remove what the administrator has disabled, and so enable it', async () => {
  await stage.set(alice, blog);
  mkdirSync(`${stage.paths.etc}/bulkhead-test/app`, { recursive: true });
  writeFileSync(`${stage.paths.etc}/bulkhead-test/app/disabled`, `${alice} blog\n`);
  assert.match(
    await stage.set(alice, { remove: 'blog' }),
    /^409 the administrator has disabled it/,
  );
  await stage.set(alice, { ...blog, command: 'other' });
  assert.deepEqual([stage.plan().apps.length, stage.plan().disabled.length], [0, 1]);
});

test('without systemd a tenant is told why it can define none', async () => {
  stage.runsSystemd = false;
  assert.match(await stage.set(alice, blog), /^503 systemd is not the init of this host/);
  const listed = await stage.list(alice, String(alice));
  assert.ok(!listed.ok);
  assert.match(formatProblem(listed.error), /^Cannot show applications of "alice": systemd is not/);
  assert.ok(!existsSync(stage.file(alice)));
});

test('release --all forgets definitions', async () => {
  await stage.set(alice, blog);
  // No unit is installed, as on a host whose policy allows none any more.
  rmSync(`${stage.paths.etc}/systemd`, { recursive: true });
  const steps = undoApps(stage.paths);
  for (const { run } of steps) assert.deepEqual(await run?.(), []);
  assert.deepEqual([steps.length, existsSync(stage.file(alice))], [1, false]);
});

test('release forgets definitions', async () => {
  await stage.set(alice, blog);
  assert.deepEqual(await appPolicy.release?.(stage.paths), []);
  assert.ok(!existsSync(stage.file(alice)));
});

test('definitions that the policy does not allow are no applications that need systemd', async () => {
  await stage.set(alice, blog);
  const wanted = () => [wantsApps(stage.policy, stage.paths), knowsApps(stage.policy, stage.paths)];
  assert.deepEqual(wanted(), [true, true]);
  stage.adopt(body(0));
  assert.deepEqual(wanted(), [false, true]);
});

test('the time that a refused change names is true', () => {
  const pace = new ChangePace('change it', 60);
  const refusal = (reclaims: boolean, now: number) => {
    const turn = pace.enter(alice, reclaims, now);
    if (turn.ok) turn.value[Symbol.dispose]();
    return turn.ok ? 'admitted' : `${turn.error.hint}; ${turn.error.retryAfterSeconds}`;
  };
  // Nobody knows how long another change takes.
  const first = pace.enter(alice, true, 0);
  assert.equal(refusal(false, 0), 'retry every 10 s; 10');
  assert.ok(first.ok);
  first.value[Symbol.dispose]();
  const other = pace.enter(alice + 1, true, 0);
  assert.equal(refusal(true, 0), 'retry every 10 s; 10');
  assert.ok(other.ok);
  other.value[Symbol.dispose]();
  for (let change = 1; change <= 10; change++) assert.equal(refusal(false, 0), 'admitted');
  assert.equal(refusal(false, 20_500), 'retry in 40 s; 40');
  assert.equal(refusal(false, 60_500), 'admitted');
});

test('changes have a burst, then the pace of their kind', () => {
  const pace = new ChangePace('change it', 60);
  const isAdmitted = (now: number) => {
    const turn = pace.enter(alice, false, now);
    if (turn.ok) turn.value[Symbol.dispose]();
    return turn.ok;
  };
  assert.ok(Array.from({ length: 11 }, () => isAdmitted(0)).every(Boolean));
  assert.deepEqual([0, 30_000, 60_000, 60_001, 120_000].map(isAdmitted), [
    false,
    false,
    true,
    false,
    true,
  ]);
});
