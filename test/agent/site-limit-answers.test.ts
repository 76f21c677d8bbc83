/** The agent answers changes of site limits: who may change which. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import type { Problem } from '../../packages/base/problem.ts';
import { siteMember } from '../../src/usage/member.ts';
import { acme, other, alice, bob, body, Stage, shop, accounts } from './site-limit-stage.ts';

let stage: Stage;
beforeEach(() => (stage = new Stage()));
afterEach(() => stage[Symbol.dispose]());

const inUse: Problem = { action: 'set memory.max of', object: shop, reason: '9 MiB are in use' };

test('answerSetLimits() lets a reseller set limits that its tenant cannot lift', async () => {
  assert.equal(await stage.set(acme, shop, 'set=cpu=30%25&set=processes=9'), 'in force');
  assert.deepEqual(stage.explained(alice, 'shop.example'), {
    value: '30%',
    from: 'set by reseller acme',
    idle: undefined,
  });
  assert.equal(stage.explained(acme, shop).from, 'set by reseller acme');
  assert.match(
    stage.log.join(),
    /^Its reseller acme has changed limits of alice\/shop\.example: cpu/,
  );
  for (const query of ['set=cpu=90%25', 'set=cpu=10%25', 'set=memory=1GiB&set=cpu=10%25'])
    assert.match(
      await stage.set(alice, 'shop.example', query),
      /^400 your reseller acme has set cpu/,
    );
  for (const query of ['unset=cpu', 'unset=cpu&unset=processes'])
    assert.match(
      await stage.set(alice, 'shop.example', query),
      /^400 reseller acme has set cpu limit of this site, and not you/,
    );
  assert.equal(await stage.set(alice, 'shop.example', 'set=memory=64MiB&check=1'), 'checked');
  assert.deepEqual(stage.kept(), [`${alice}.reseller.json`]);
});

test("answerSetLimits() overrules the tenant's limit until its reseller's is removed", async () => {
  assert.equal(await stage.set(alice, 'shop.example', 'set=cpu=60%25'), 'in force');
  assert.match(
    await stage.set(acme, shop, 'unset=cpu'),
    /^400 alice has set cpu limit of this site, and not you/,
  );
  assert.equal(await stage.set(acme, shop, 'set=cpu=70%25'), 'in force');
  const overruled = stage.explained(alice, 'shop.example');
  assert.equal(overruled.value, '70%');
  assert.match(overruled.idle?.[0]?.reason ?? '', /its reseller has set/);
  assert.equal(await stage.set(acme, shop, 'unset=cpu'), 'in force');
  assert.deepEqual(stage.explained(alice, 'shop.example').from, 'set by alice');
});

test("answerSetLimits() refuses limits that are fixed, above the tenant's or of others", async () => {
  assert.match(
    await stage.set(acme, shop, 'set=cpu=101%25'),
    /^400 cpu limit is above that of the tenant, which is 100%/,
  );
  assert.match(
    await stage.set(acme, shop, 'set=cpu=unlimited'),
    /^400 .* above that of the tenant/,
  );
  for (const query of ['set=cpu=10%25', 'set=cpu=90%25', 'unset=cpu'])
    assert.match(
      await stage.set(acme, 'alice/fixed.example', query),
      /^400 the administrator has set/,
    );
  for (const key of ['disk.space=1GiB', 'entries=1', 'network.send=1MiB/s'])
    assert.match(await stage.set(acme, shop, `set=${key}`), /^400 only the administrator/);
  for (const own of ['alice', 'acme', 'other'])
    assert.match(await stage.set(acme, own, 'set=cpu=10%25'), /^40[34] /, own);
  for (const foreign of [
    'bob/bob.example',
    `${bob}/bob.example`,
    `u${bob}/bob.example`,
    'carol/carol.example',
  ])
    assert.match(await stage.set(acme, foreign, 'set=cpu=10%25'), /^404 there is none/, foreign);
  assert.match(await stage.set(bob, shop, 'set=cpu=10%25'), /^404 /);
  assert.match(await stage.set(other, shop, 'set=cpu=10%25'), /^404 /);
  assert.match(await stage.set(0, shop, 'set=cpu=10%25'), /^403 the administrator sets/);
});

test('answerSetLimits() allows only the setters that the policy names', async () => {
  const both = [acme, alice] as const;
  const may = async (setters: string) => {
    stage.adopt(body(setters));
    return Promise.all(both.map((uid) => stage.set(uid, shop, 'set=cpu=10%25&check=1')));
  };
  const [toReseller, toTenant] = ['sites of your tenants', 'your sites'].map(
    (whose) => `403 the administrator does not let you set limits of ${whose}`,
  );
  assert.deepEqual(await may('administrator'), [toReseller, toTenant]);
  assert.deepEqual(await may('tenant'), [toReseller, 'checked']);
  assert.deepEqual(await may('reseller'), ['checked', toTenant]);
  assert.deepEqual(await may('reseller tenant'), ['checked', 'checked']);
});

test('answerSetLimits() treats a reseller that is its own tenant as the reseller', async () => {
  stage.adopt(`<defaults><sites limits="reseller tenant"/></defaults>
    <reseller user="acme"><tenant user="acme"><site name="own.example"/></tenant></reseller>`);
  assert.equal(await stage.set(acme, 'own.example', 'set=cpu=10%25'), 'in force');
  assert.equal(stage.explained(acme, 'own.example').from, 'set by reseller acme');
});

test('forgetFormerTenants() removes limits when the reseller is another account', async () => {
  assert.equal(await stage.set(acme, shop, 'set=cpu=30%25'), 'in force');
  stage.haveAccounts({ ...accounts, acme: 4999, mallory: acme });
  assert.match(
    await stage.set(acme, shop, 'set=cpu=50%25'),
    /^403 it is not your own/,
    'until the policy has been adopted with it',
  );
  stage.adopt(body('reseller tenant').replace('user="acme"', 'user="mallory"'));
  assert.equal(stage.explained(alice, 'shop.example').value, 'unlimited');
  assert.deepEqual(stage.kept(), []);
  stage.haveAccounts(accounts);
  stage.adopt(body('reseller tenant'));
  assert.equal(await stage.set(acme, shop, 'set=cpu=30%25'), 'in force');
  const moved = body('reseller tenant').replace('"acme"', '"x"').replace('"other"', '"acme"');
  stage.adopt(moved.replace('"x"', '"other"'));
  assert.equal(stage.explained(alice, 'shop.example').value, 'unlimited');
  assert.match(await stage.set(acme, shop, 'set=cpu=30%25'), /^404 /);
});

test("answerSetLimits() keeps a reseller's change when its tenant's fails", async () => {
  const values = (index: MemberIndex) =>
    index.entries.get(siteMember(alice, 'shop.example'))?.values;
  stage.problem = (index) => (values(index)?.['memory.limit'] === 2 ** 22 ? inUse : undefined);
  const answers = await Promise.all([
    stage.set(alice, 'shop.example', 'set=memory=4MiB'),
    stage.set(acme, shop, 'set=cpu=30%25'),
  ]);
  assert.match(answers[0] ?? '', /^409 .*in use/);
  assert.equal(answers[1], 'in force');
  assert.equal(stage.explained(alice, 'shop.example').value, '30%');
  assert.deepEqual(stage.kept(), [`${alice}.reseller.json`]);
});

test("answerSetLimits() undoes a reseller's change when the kernel refuses it", async () => {
  stage.problem = (index) =>
    index.entries.get(siteMember(alice, 'shop.example'))?.values['memory.limit'] === 2 ** 22
      ? inUse
      : undefined;
  assert.match(await stage.set(acme, shop, 'set=memory=4MiB'), /^409 .*in use/);
  assert.equal(stage.explained(alice, 'shop.example', 'memory limit').value, 'unlimited');
});
