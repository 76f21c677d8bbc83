/** The agent accepts limits of sites that only web servers know, and asks them. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { fakeHost } from '../../testing/fake-host.ts';
import { acme, alice, bob, carol, body, Stage, shop } from './site-limit-stage.ts';

let stage: Stage;
beforeEach(() => (stage = new Stage()));
afterEach(() => stage[Symbol.dispose]());

const names = (...of: readonly string[]) => new Set(of);

test('answerSetLimits() adds a served site with its first limit', async () => {
  stage.served = new Map([
    [alice, names('new.example', 'www.new.example')],
    [bob, names('b.example')],
  ]);
  assert.equal(await stage.set(alice, 'New.example', 'set=cpu=40%25&check=1'), 'checked');
  assert.ok(!stage.isSite('alice/new.example'));
  assert.equal(await stage.set(alice, 'New.example', 'set=cpu=40%25'), 'in force');
  assert.equal(stage.explained(alice, 'new.example').from, 'set by alice');
  assert.equal(await stage.set(acme, 'alice/www.new.example', 'set=cpu=30%25'), 'in force');
  assert.equal(stage.explained(acme, 'alice/www.new.example').from, 'set by reseller acme');
  assert.equal(stage.asked, 1, 'what is known is not asked for again');
  // The site is gone from the web server: its limits stay, and can be changed and removed.
  stage.served = new Map();
  stage.now += 61_000;
  assert.match(await stage.set(alice, 'other.example', 'set=cpu=1%25'), /^404 /);
  assert.equal(stage.explained(alice, 'new.example').value, '40%');
  assert.equal(await stage.set(alice, 'new.example', 'set=cpu=50%25'), 'in force');
  assert.equal(await stage.set(alice, 'new.example', 'unset=cpu'), 'in force');
  assert.ok(!stage.isSite('alice/new.example'), 'without limits it is not a site any more');
});

test("answerSetLimits() lists the tenant's served sites when the site is unknown", async () => {
  stage.served = new Map([
    [alice, names('a.example', 'c.example')],
    [bob, names('b.example')],
  ]);
  for (const name of ['b.example', 'alice/b.example', 'typo.example'])
    assert.match(
      await stage.said(alice, name, 'set=cpu=10%25'),
      /^the policy has no such site, and no web server serves one .*; those that are served: a\.example, c\.example; .*"bulkhead web status"/,
      name,
    );
  assert.match(
    await stage.said(carol, 'a.example', 'set=cpu=10%25'),
    /none is known for the tenant/,
  );
  // The answer reveals nothing of others' tenants, and nobody is asked.
  const before = stage.asked;
  for (const [uid, name] of [
    [bob, 'alice/a.example'],
    [acme, 'bob/b.example'],
    [acme, 'a.example'],
    [acme, 'nobody/a.example'],
  ] as const)
    assert.equal(
      await stage.set(uid, name, 'set=cpu=10%25'),
      '404 there is none with that name that you may see',
    );
  stage.adopt(body('administrator'));
  assert.match(await stage.set(alice, 'a.example', 'set=cpu=10%25'), /^404 there is none/);
  assert.equal(stage.asked, before);
});

test('answerSetLimits() asks web servers once a minute at most, whatever the names', async () => {
  stage.served = new Map([[alice, names('a.example')]]);
  for (const odd of [
    '',
    '../x',
    'alice/../x',
    '*.example',
    '_',
    '~^a',
    'a..b',
    '__proto__',
    `${'x'.repeat(64)}.example`,
    'a\u0000b',
    'alice/a/b',
  ])
    assert.match(await stage.set(alice, odd, 'set=cpu=10%25'), /^404 /, odd);
  const many = Array.from({ length: 50 }, (_, index) => `n${index}.example`);
  await Promise.all(many.map((name) => stage.set(alice, name, 'set=cpu=10%25')));
  await Promise.all(many.map((name) => stage.set(acme, `alice/${name}`, 'set=cpu=10%25')));
  assert.equal(stage.asked, 1);
  stage.now += 61_000;
  await Promise.all(many.map((name) => stage.set(alice, name, 'set=cpu=10%25')));
  assert.equal(stage.asked, 2);
});

test('answerSetLimits() returns 503 when web servers fail, except for known sites', async () => {
  stage.served = new Map([[alice, names('a.example')]]);
  assert.equal(await stage.set(alice, 'a.example', 'set=cpu=10%25&check=1'), 'checked');
  stage.served = undefined;
  stage.now += 61_000;
  assert.equal(
    await stage.set(alice, 'b.example', 'set=cpu=10%25'),
    '503 the web servers could not be asked, or not for everything',
  );
  assert.equal(
    await stage.set(alice, 'b.example', 'set=cpu=10%25'),
    '503 the web servers could not be asked, or not for everything',
  );
  assert.equal(stage.asked, 2);
  assert.equal(await stage.set(alice, 'a.example', 'set=cpu=10%25&check=1'), 'checked');
});

test('answerSetLimits() adds no served sites on cgroup v1', async () => {
  stage.served = new Map([[alice, names('a.example')]]);
  const probed = fakeHost(1).probe();
  assert.ok(probed.ok);
  stage.driver = probed.value;
  for (const [uid, name] of [
    [alice, 'a.example'],
    [acme, 'alice/a.example'],
  ] as const)
    assert.match(
      await stage.set(uid, name, 'set=cpu=10%25'),
      /^403 the policy does not have it, and with/,
    );
  assert.equal(await stage.set(acme, shop, 'set=cpu=10%25'), 'in force');
  assert.equal(stage.asked, 0);
});
