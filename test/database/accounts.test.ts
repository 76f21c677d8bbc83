/** The tenants that accounts of a database server belong to. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AccountOwners, formatOwnerReason } from '../../src/database/core/accounts.ts';
import { accountOwners } from '../../src/database/io/account-owners.ts';
import { isServersOwn } from '../../src/policy/databases/servers-own.ts';
import { databaseLimits } from '../../src/database/core/database-limits.ts';
import {
  defaultDatabases,
  type DatabaseSettings,
} from '../../src/policy/databases/database-settings.ts';
import type { Policy, Reseller, Tenant } from '../../src/policy/policy.ts';
import type { LimitValues } from '../../src/limits/limit.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const at = { start: 0, end: 0 };
const tenantOf = (user: string, uid: number): Tenant => ({
  uid,
  account: { user, uid, gid: uid, home: `/home/${user}` },
  reseller: undefined,
  package: undefined,
  sites: [],
  values: {},
  chain: [],
});

const names = ['alice', 'al', 'al_ice', 'bob', 'o.k@x'];
const uidOf = (name: string) => 1001 + names.indexOf(name);
const tenants = names.map((name) => tenantOf(name, uidOf(name)));

function owners(settings: Partial<DatabaseSettings> = {}, otherAccounts: readonly string[] = []) {
  const databases = { ...defaultDatabases, ...settings };
  return new AccountOwners({ policy: { tenants, databases }, otherAccounts });
}

describe('AccountOwners', () => {
  test('ownerOf() goes by the name, and by the part before an underscore', () => {
    const found = owners();
    for (const account of ['alice', 'alice_', 'alice_wp', 'alice_wp_2'])
      assert.deepEqual(found.ownerOf(account), { tenant: uidOf('alice'), by: 'name' }, account);
    assert.deepEqual(found.ownerOf('al_x'), { tenant: uidOf('al'), by: 'name' });
    assert.deepEqual(found.ownerOf('o.k@x_y'), { tenant: uidOf('o.k@x'), by: 'name' });
    for (const account of ['alicex', 'Alice', 'alice-wp', '_alice', 'carol_x', 'ali', ' alice'])
      assert.deepEqual(found.ownerOf(account), { tenant: undefined, by: 'unknown' }, account);
  });

  test('ownerOf() gives an account that fits two names to nobody, until it is named', () => {
    for (const account of ['al_ice', 'al_ice_x', 'al_ice_'])
      assert.deepEqual(owners().ownerOf(account), {
        tenant: undefined,
        by: 'ambiguous',
        names: ['al', 'al_ice'],
      });
    const accounts = [{ name: 'al_ice_x', tenant: uidOf('al_ice'), at }];
    const named = owners({ accounts });
    assert.deepEqual(named.ownerOf('al_ice_x'), { tenant: uidOf('al_ice'), by: 'policy' });
    assert.equal(named.ownerOf('al_ice_y').tenant, undefined);
  });

  test('ownerOf() never gives a tenant what may belong to another account of the host', () => {
    const found = owners({}, ['bob_admin', 'deploy']);
    assert.equal(found.ownerOf('bob_admin_x').by, 'ambiguous');
    assert.equal(found.ownerOf('bob_x').tenant, uidOf('bob'));
    const deploy = found.ownerOf('deploy_x');
    assert.deepEqual(deploy, { tenant: undefined, by: 'unknown', names: ['deploy'] });
    assert.match(formatOwnerReason(deploy), /name of deploy, which is not a tenant/);
  });

  test('ownerOf() goes by the policy first, then the panel, then the name', () => {
    const found = owners({
      exempt: ['alice_backup'],
      accounts: [
        { name: 'one', tenant: uidOf('bob'), at },
        { name: 'alice_spam', at },
      ],
      stated: [
        { name: 'one', user: 'alice', tenant: uidOf('alice') },
        { name: 'wp', user: 'alice', tenant: uidOf('alice') },
        { name: 'bob_x', user: 'alice', tenant: uidOf('alice') },
        { name: 'bob_y', user: 'carol' },
        { name: 'bob_z', user: 'bob', tenant: uidOf('bob') },
        { name: 'bob_z', user: 'alice', tenant: uidOf('alice') },
        { name: 'wp', kind: 'postgresql', user: 'bob', tenant: uidOf('bob') },
        { name: 'erp', kind: 'postgresql', user: 'bob', tenant: uidOf('bob') },
      ],
    });
    assert.deepEqual(found.ownerOf('wp', 'postgresql'), { tenant: uidOf('bob'), by: 'panel' });
    assert.equal(found.ownerOf('erp').tenant, undefined);
    assert.deepEqual(found.ownerOf('one'), { tenant: uidOf('bob'), by: 'policy' });
    assert.deepEqual(found.ownerOf('alice_spam'), { tenant: undefined, by: 'policy' });
    assert.deepEqual(found.ownerOf('alice_backup'), { tenant: undefined, by: 'exempt' });
    assert.deepEqual(found.ownerOf('wp'), { tenant: uidOf('alice'), by: 'panel' });
    assert.deepEqual(found.ownerOf('bob_x'), { tenant: uidOf('alice'), by: 'panel' });
    const stranger = found.ownerOf('bob_y');
    assert.deepEqual(stranger, { tenant: undefined, by: 'panel', names: ['carol'] });
    assert.equal(found.ownerOf('bob_z').tenant, undefined);
    assert.match(formatOwnerReason(found.ownerOf('bob_z')), /gives it to bob, alice$/);
    assert.equal(found.ownerOf('bob_other').tenant, uidOf('bob'));
  });

  test('ownerOf() leaves names alone when the policy says so', () => {
    const found = owners({ rule: 'none' });
    assert.deepEqual(found.ownerOf('alice_wp'), { tenant: undefined, by: 'no rule' });
  });

  test("ownerOf() never gives away a server's own account, whatever the policy says", () => {
    const root = tenantOf('root', 1500);
    const accounts = [{ name: 'root', tenant: 1500, at }];
    const databases = { ...defaultDatabases, accounts };
    const found = new AccountOwners({ policy: { tenants: [root], databases } });
    for (const account of ['', 'root', 'mysql', 'mariadb.sys', 'bulkhead-db'])
      assert.deepEqual(found.ownerOf(account), { tenant: undefined, by: 'server' }, account);
    assert.ok(!isServersOwn('Root'));
  });

  test('formatOwnerReason() shows hostile names safely', () => {
    const stated = [{ name: 'x', user: 'a\u001b[2J\n\u202e' }];
    const reason = formatOwnerReason(owners({ stated }).ownerOf('x'));
    // oxlint-disable-next-line no-control-regex -- these are what must not get through
    assert.doesNotMatch(reason, /[\u0000-\u001f\u202e]/);
  });
});

describe('AccountOwners, whatever the names', () => {
  const user = fc.stringMatching(/^[a-c][a-c_]{0,5}$/);
  const account = fc.oneof(
    fc.stringMatching(/^[a-c_]{0,9}$/),
    fc.string({ unit: 'binary', maxLength: 128 }),
    fc.tuple(user, fc.string({ maxLength: 20 })).map(([name, rest]) => `${name}_${rest}`),
    user,
  );

  test('ownerOf() gives an account to the one tenant whose name fits, and to nobody if there are more', () => {
    fc.assert(
      fc.property(fc.uniqueArray(user, { maxLength: 12 }), account, (users, name) => {
        const all = users.map((each, index) => tenantOf(each, 1001 + index));
        const owner = new AccountOwners({ policy: { tenants: all } }).ownerOf(name);
        const fitting = users.filter((each) => name === each || name.startsWith(`${each}_`));
        const [only] = fitting;
        if (isServersOwn(name)) assert.equal(owner.by, 'server');
        else if (only === undefined) assert.equal(owner.by, 'unknown');
        else if (fitting.length > 1) assert.equal(owner.by, 'ambiguous');
        else assert.deepEqual(owner, { tenant: 1001 + users.indexOf(only), by: 'name' });
        assert.ok(formatOwnerReason(owner).length > 0);
      }),
      { numRuns: 2000 },
    );
  });

  test('a new tenant takes no account from others: it is theirs as before, or nobody’s', () => {
    fc.assert(
      fc.property(fc.uniqueArray(user, { minLength: 1, maxLength: 8 }), account, (users, name) => {
        const all = users.map((each, index) => tenantOf(each, 1001 + index));
        const before = new AccountOwners({ policy: { tenants: all.slice(1) } }).ownerOf(name);
        const after = new AccountOwners({ policy: { tenants: all } }).ownerOf(name);
        if (before.tenant !== undefined)
          assert.ok([before.tenant, undefined].includes(after.tenant));
      }),
      { numRuns: 1000 },
    );
  });

  test('ownerOf() takes as many steps with 20,000 tenants as with one', () => {
    const all = Array.from({ length: 20_000 }, (_, index) => tenantOf(`u${index}`, 1001 + index));
    const stated = all.flatMap(({ uid, account: own }) => [
      { name: 'shared', user: own?.user ?? '', tenant: uid },
      { name: `w${uid}`, user: own?.user ?? '', tenant: uid },
    ]);
    const databases = { ...defaultDatabases, stated };
    const found = new AccountOwners({ policy: { tenants: all, databases } });
    const hostile = '_'.repeat(128);
    for (let index = 0; index < 50_000; index++) {
      assert.equal(found.ownerOf(`u${index % 20_000}_x`).tenant, 1001 + (index % 20_000));
      assert.equal(found.ownerOf(hostile).tenant, undefined);
    }
    assert.equal(found.ownerOf('w1001').tenant, 1001);
    assert.equal(found.ownerOf('shared').tenant, undefined);
  });
});

describe('databaseLimits()', () => {
  const reseller = (values: LimitValues): Reseller => ({ ...tenantOf('acme', 1000), values });
  const given = (values: Readonly<Record<string, unknown>>) => values as LimitValues;

  test('databaseLimits() has the lower value of the tenant and its reseller', () => {
    const limited = {
      ...tenantOf('alice', 1001),
      reseller: 1000,
      values: given({ 'database.cpu': 0.5, 'database.statement': 60_000, 'cpu.limit': 1 }),
    };
    const bound = reseller(given({ 'database.statement': 30_000, 'database.connections': 20 }));
    const found = databaseLimits({ tenants: [limited], resellers: [bound] });
    assert.deepEqual(found.get(1001), {
      cpu: 0.5,
      connections: 20,
      statementMilliseconds: 30_000,
    });
  });

  test('databaseLimits() leaves out tenants without such a limit, and limits that are only observed', () => {
    const unlimited = { ...tenantOf('a', 1), values: given({ 'database.cpu': 'unlimited' }) };
    const observed = { ...tenantOf('b', 2), observed: given({ 'database.cpu': 1 }) };
    assert.equal(databaseLimits({ tenants: [unlimited, observed], resellers: [] }).size, 0);
  });
});

test('accounts of the host that are no tenants keep what has their name', (t) => {
  const etc = testDirectory(t, 'account-owners');
  const line = (user: string, uid: number) => `${user}:x:${uid}:${uid}::/:/bin/false\n`;
  writeFileSync(join(etc, 'passwd'), line('al', 1001) + line('al_ice', 1002));
  const found = accountOwners({ etc }, { tenants: [tenantOf('al', 1001)] } as unknown as Policy);
  assert.equal(found.ownerOf('al_shop').tenant, 1001);
  assert.equal(found.ownerOf('al_ice_shop').tenant, undefined);
});
