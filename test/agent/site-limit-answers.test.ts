/**
 * The agent's answers to changes of site limits: who may change which. It uses the real policy loader, record of owners
 * and limit files, and no cgroups.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { Caller } from '../../src/agent/api/caller.ts';
import type { Driver } from '../../src/host/driver.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerLimits, answerSetLimits } from '../../src/agent/responses/site-limits.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { Membership } from '../../src/agent/sampling/membership.ts';
import { SiteLimitChanges } from '../../src/agent/site-limits/site-limit-changes.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { makeLog } from '../../src/agent/log.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { AccountNames } from '../../src/host/accounts/account-names.ts';
import { forgetFormerTenants } from '../../src/host/keep-site-limits.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { siteMember } from '../../src/usage/member.ts';
import { writeServed } from '../../src/web/io/served/record.ts';
import { ServedPart } from '../../src/web/io/served/served-part.ts';

const [acme, other, alice, bob, carol] = [4000, 4001, 5001, 5002, 5003] as const;
const accounts = { acme, other, alice, bob, carol };

const body = (setters: string) => `<defaults><sites limits="${setters}"/></defaults>
  <reseller user="acme"><tenant user="alice"><cpu limit="100%"/><site name="shop.example"/>
    <site name="fixed.example"><cpu limit="20%"/></site></tenant></reseller>
  <reseller user="other"><tenant user="bob"><site name="bob.example"/></tenant></reseller>
  <tenant user="carol"><site name="carol.example"/></tenant>`;

const silent = makeLog('human', {});
silent.level = 'silent';

/** The parts of the agent that answer these requests. */
class Stage implements Disposable {
  readonly #directory = temporaryDirectory('answers');
  readonly paths: Paths = {
    ...pathsOf('bulkhead-test'),
    etc: `${this.#directory.path}/etc`,
    state: `${this.#directory.path}/state`,
  };
  readonly #events = new EventStore(`${this.#directory.path}/events`);
  readonly #membership = new Membership(this.#events, new AccountNames(this.paths));
  #index = new MemberIndex();
  readonly #changes = this.#newChanges();
  #text = '';
  /** Returns why the kernel does not accept the values of a cgroup. */
  problem: (index: MemberIndex) => Problem | undefined = () => undefined;
  readonly log: string[] = [];
  driver: Driver | undefined;
  /** The sites that web servers serve, by uid, and how often they were asked. */
  served: ReadonlyMap<number, ReadonlySet<string>> | undefined = new Map();
  asked = 0;
  /** The clock of the part, in milliseconds. */
  now = 0;
  readonly web = new ServedPart(
    this.paths,
    silent,
    async () => {
      this.asked++;
      if (this.served === undefined) return failed({ action: 'ask', reason: 'nginx hangs' });
      return writeServed(this.paths, this.served);
    },
    () => this.now,
  );

  constructor() {
    mkdirSync(this.paths.etc);
    this.haveAccounts(accounts);
    this.adopt(body('reseller tenant'));
  }

  haveAccounts(uids: Readonly<Record<string, number>>): void {
    const lines = Object.entries(uids).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::/nonexistent:/bin/sh\n`,
    );
    writeFileSync(`${this.paths.etc}/passwd`, lines.join(''));
  }

  adopt(text: string): void {
    this.#text = `<bulkhead version="1">${text}</bulkhead>`;
    this.#apply();
  }

  #apply(): void {
    const { policy, diagnostics } = new PolicyReader().resolve('p.xml', this.#text, this.paths);
    assert.ok(policy, JSON.stringify(diagnostics));
    this.#index = new MemberIndex(policy);
    this.#membership.follow(this.#index.entries, new Map(), 1);
    assert.ok(forgetFormerTenants(this.paths, policy).ok);
  }

  #newChanges(): SiteLimitChanges {
    return new SiteLimitChanges({
      paths: this.paths,
      apply: async () => this.#apply(),
      log: (line) => this.log.push(line),
      problemOf: () => this.problem(this.#index),
      pauseMilliseconds: 0,
      valuesOf: (uid, site) => this.#index.entries.get(siteMember(uid, site))?.values ?? {},
    });
  }

  #request(caller: Caller, query: string): RequestContext {
    const agent = {
      memberIndex: this.#index,
      membership: this.#membership,
      siteLimits: this.#changes,
      servedSites: (of: number, wanted: string) => this.web.servedSites(of, wanted),
      driver: this.driver,
    };
    // Fields that these answers do not use are missing.
    return { agent, caller, query: new QueryReader(new URLSearchParams(query)) } as RequestContext;
  }

  /** Returns the new state, or the reason and hint of a refusal. */
  async said(uid: number, name: string, query: string): Promise<string> {
    const answer = await answerSetLimits(this.#request({ kind: 'uid', uid }, query), name);
    return answer.ok ? answer.value.state : `${answer.error.reason}; ${answer.error.hint ?? ''}`;
  }

  isSite(name: string): boolean {
    return this.#index.find(name) !== undefined;
  }

  async set(uid: number, name: string, query: string): Promise<string> {
    const answer = await answerSetLimits(this.#request({ kind: 'uid', uid }, query), name);
    return answer.ok ? answer.value.state : `${answer.error.status} ${answer.error.reason}`;
  }

  explained(uid: number, name: string, limit = 'cpu limit') {
    const answer = answerLimits(this.#request({ kind: 'uid', uid }, ''), name);
    assert.ok(answer.ok, JSON.stringify(answer));
    const found = answer.value.limits.find((each) => each.limit === limit);
    return { value: found?.value, from: found?.from, idle: answer.value.idle };
  }

  kept(): readonly string[] {
    return readdirSync(`${this.paths.state}/site-limits`).sort();
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
    this.#events[Symbol.dispose]();
    this.#directory.remove();
  }
}

let stage: Stage;
beforeEach(() => (stage = new Stage()));
afterEach(() => stage[Symbol.dispose]());

const shop = 'alice/shop.example';
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
