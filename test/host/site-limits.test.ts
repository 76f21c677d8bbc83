/**
 * The files with limits that tenants have set: they apply only to the present owner of the uid,
 * whatever files are in their place.
 */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { beforeEach, test } from 'node:test';
import { failed } from '../../packages/base/problem.ts';
import { fail, ok } from '../../packages/base/result.ts';
import type { CpuFraction } from '../../packages/base/quantity.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import {
  changeSiteLimits,
  forgetFormerTenants,
  releaseSiteLimits,
} from '../../src/host/keep-site-limits.ts';
import { readSiteLimits } from '../../src/host/site-limits.ts';
import type { Account, Reseller, Tenant } from '../../src/policy/policy.ts';
import { siteLimitBytesMax, type SiteLimits } from '../../src/policy/sites/site-limits.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let directory = '';
let paths: Paths;

beforeEach((t) => {
  directory = testDirectory(t, 'site-limits');
  paths = { ...pathsOf('bulkhead-test'), state: `${directory}/state` };
});

const alice: Account = { user: 'alice', uid: 5001, gid: 5001, home: '/nonexistent' };
const limits = (text = 0.5): SiteLimits =>
  new Map([['shop.example', new Map([['cpu.limit', text as CpuFraction] as const])]]);
const keep = (uid = 5001, name = 'alice', sites = limits()) =>
  changeSiteLimits(paths, uid, { name }, () => ok(sites));
const file = (uid = 5001) => `${paths.state}/site-limits/${uid}.json`;
const tenant = (account: Account): Tenant => ({
  uid: account.uid,
  account,
  reseller: undefined,
  package: undefined,
  sites: [],
  values: {},
  chain: [],
});

test('readSiteLimits() returns saved limits only to the current owner of the uid', () => {
  assert.deepEqual(readSiteLimits(paths, [alice]), { limits: new Map(), problems: [] });
  assert.ok(keep().ok);
  assert.equal(statSync(file()).mode & 0o777, 0o600);
  assert.equal(statSync(`${paths.state}/site-limits`).mode & 0o777, 0o700);
  assert.deepEqual(readSiteLimits(paths, [alice]).limits, new Map([[5001, { tenant: limits() }]]));
  const mallory = { ...alice, user: 'mallory' };
  assert.deepEqual(readSiteLimits(paths, [mallory]).limits, new Map());
  assert.deepEqual(readSiteLimits(paths, []).limits, new Map());
});

test('changeSiteLimits() passes the current limits, and none of a former owner', () => {
  assert.ok(keep().ok);
  const seen: SiteLimits[] = [];
  const look = (name: string) =>
    changeSiteLimits(paths, 5001, { name }, (sites) => {
      seen.push(sites);
      return ok(sites);
    });
  assert.ok(look('alice').ok);
  assert.ok(look('mallory').ok);
  assert.deepEqual(seen, [limits(), new Map()]);
  assert.ok(!existsSync(file()), 'nothing is left of the former holder');
});

test('changeSiteLimits() keeps the file when a change fails, and removes it with the last limit', () => {
  assert.ok(keep().ok);
  const why = { action: 'try', reason: 'of this test' };
  assert.deepEqual(
    changeSiteLimits(paths, 5001, { name: 'alice' }, () => failed(why)),
    fail(why),
  );
  assert.deepEqual(readSiteLimits(paths, [alice]).limits.get(5001), { tenant: limits() });
  assert.ok(keep(5001, 'alice', new Map()).ok);
  assert.deepEqual(readdirSync(`${paths.state}/site-limits`), []);
});

test('changeSiteLimits() refuses more limits than fit the file', () => {
  const many = Array.from(
    { length: 3000 },
    (_, index) => [`site-${index}.example`, limits().get('shop.example') ?? new Map()] as const,
  );
  assert.ok(keep().ok);
  const refused = keep(5001, 'alice', new Map(many));
  assert.equal(!refused.ok && refused.error.reason, 'they are too many');
  assert.deepEqual(readSiteLimits(paths, [alice]).limits.get(5001), { tenant: limits() });
});

test('readSiteLimits() reports damaged, oversized and linked files, and reads the others', () => {
  assert.ok(keep().ok);
  const [bob, carol, dave] = [5002, 5003, 5004];
  writeFileSync(file(bob), '{"name":"bob","sites":{"a.example":{"cpu.li');
  writeFileSync(file(carol), ' '.repeat(siteLimitBytesMax + 1));
  writeFileSync(`${directory}/planted`, '{"name":"dave","sites":{}}');
  symlinkSync(`${directory}/planted`, file(dave));
  mkdirSync(file(5005));
  const read = readSiteLimits(paths, [alice]);
  assert.deepEqual([...read.limits.keys()], [5001]);
  assert.equal(read.problems.length, 4);
  // A tenant whose file is damaged can begin anew.
  assert.ok(keep(bob, 'bob').ok);
  assert.equal(readSiteLimits(paths, [{ ...alice, uid: bob, user: 'bob' }]).problems.length, 3);
});

const acme: Account = { user: 'acme', uid: 4000, gid: 4000, home: '/nonexistent' };
const keepByReseller = (name = 'acme', uid = 4000) =>
  changeSiteLimits(paths, 5001, { name: 'alice', reseller: { uid, name } }, () => ok(limits(0.2)));
const ofReseller = { uid: 4000, name: 'acme', sites: limits(0.2) };

test("readSiteLimits() reads a reseller's limits next to the tenant's, only for current owners", () => {
  assert.ok(keep().ok);
  assert.ok(keepByReseller().ok);
  assert.deepEqual(readdirSync(`${paths.state}/site-limits`).sort(), [
    '5001.json',
    '5001.reseller.json',
  ]);
  const read = (...accounts: readonly Account[]) =>
    readSiteLimits(paths, accounts).limits.get(5001);
  assert.deepEqual(read(alice, acme), { tenant: limits(), reseller: ofReseller });
  assert.deepEqual(read(alice), { tenant: limits() }, 'the reseller is gone');
  assert.deepEqual(read(alice, { ...acme, user: 'mallory' }), { tenant: limits() });
  assert.equal(read({ ...alice, user: 'mallory' }, acme), undefined);
  const change = (name: string, uid: number) => {
    let seen: SiteLimits = new Map();
    changeSiteLimits(paths, 5001, { name: 'alice', reseller: { uid, name } }, (sites) => {
      seen = sites;
      return failed({ action: 'try', reason: 'of this test' });
    });
    return seen;
  };
  assert.deepEqual(change('acme', 4000), limits(0.2));
  assert.deepEqual(change('other', 4000), new Map(), 'another holder of the uid');
  assert.deepEqual(change('acme', 4001), new Map(), 'another reseller of that name');
  // The tenant removes its own limits, and nothing else.
  assert.ok(keep(5001, 'alice', new Map()).ok);
  assert.deepEqual(read(alice, acme), { reseller: ofReseller });
});

test('readSiteLimits() reports a file as damaged when it is in place of the other one', () => {
  assert.ok(keepByReseller().ok);
  const path = `${paths.state}/site-limits/5001.reseller.json`;
  const text = readFileSync(path, 'utf8');
  writeFileSync(file(), text);
  writeFileSync(path, text.replace('"uid":4000', '"uid":-1'));
  const { limits: read, problems } = readSiteLimits(paths, [alice, acme]);
  assert.equal(read.size, 0);
  assert.deepEqual(
    problems.map(({ reason }) => reason),
    ['it is damaged', 'it is damaged'],
  );
});

test("forgetFormerTenants() removes a reseller's limits when the tenant gets another reseller", () => {
  const reseller = (account: Account): Reseller => ({ ...tenant(account), package: undefined });
  const path = `${paths.state}/site-limits/5001.reseller.json`;
  const other = { ...acme, uid: 4001, user: 'other' };
  const forget = (owner: Account | undefined, resellers: readonly Account[]) => {
    assert.ok(keepByReseller().ok);
    const tenants = [{ ...tenant(alice), reseller: owner?.uid }];
    assert.ok(forgetFormerTenants(paths, { tenants, resellers: resellers.map(reseller) }).ok);
    return existsSync(path);
  };
  assert.ok(forget(acme, [acme, other]));
  assert.ok(!forget(other, [acme, other]));
  assert.ok(!forget(undefined, [acme]));
  assert.ok(!forget({ ...acme, user: 'mallory' }, [{ ...acme, user: 'mallory' }]));
});

test("forgetFormerTenants() removes former tenants' limits; releaseSiteLimits() removes all", () => {
  for (const [uid, name] of [
    [5001, 'alice'],
    [5002, 'bob'],
    [5003, 'carol'],
  ] as const)
    assert.ok(keep(uid, name).ok);
  const mallory = { ...alice, user: 'mallory', uid: 5002 };
  const tenants = [tenant(alice), tenant(mallory)];
  assert.ok(forgetFormerTenants(paths, { tenants, resellers: [] }).ok);
  assert.deepEqual(readdirSync(`${paths.state}/site-limits`), ['5001.json']);
  assert.ok(releaseSiteLimits(paths).ok);
  assert.ok(!existsSync(`${paths.state}/site-limits`));
  assert.ok(releaseSiteLimits(paths).ok);
});
