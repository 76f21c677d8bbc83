/** The record of packages that accounts had last by their plans. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { keepLastPackages } from '../../src/host/keep-last-packages.ts';
import { lastPackagesFile, readLastPackages } from '../../src/host/last-packages.ts';
import { formatLastPackages, parseLastPackages } from '../../src/policy/panel/last-packages.ts';
import type { Policy, Tenant } from '../../src/policy/policy.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

function place(t: TestContext, ...passwd: readonly string[]) {
  const root = testDirectory(t, 'last-packages');
  const paths = { state: `${root}/state`, etc: root };
  mkdirSync(paths.state);
  writeFileSync(`${root}/passwd`, passwd.map((each) => `${each}:/home:/bin/sh\n`).join(''));
  return paths;
}

const tenant = (uid: number, user: string, name: string, by = 'panel') =>
  ({
    uid,
    account: { user, uid, gid: uid, home: '/' },
    package: name,
    plan: { panel: 'HestiaCP', plan: name, by, at: { start: 0, end: 0 } },
  }) as unknown as Tenant;
const policy = (...tenants: readonly Tenant[]): Pick<Policy, 'tenants' | 'panel'> => ({
  tenants,
  panel: 'auto',
});

function kept(paths: { readonly state: string }) {
  const read = readLastPackages(paths);
  assert.ok(read.ok);
  return [...read.value.values()].map((each) => `${each.uid} ${each.user} ${each.package}`);
}

suite('keepLastPackages()', () => {
  test('records what plans decide, and keeps accounts that no plan decides now', (t) => {
    const paths = place(t, 'ann:x:1001:1001:', 'ben:x:1002:1002:');
    assert.ok(keepLastPackages(paths, policy(tenant(1001, 'ann', 'gold'))).ok);
    const more = policy(
      tenant(1001, 'ann', 'basic', 'overruled'),
      tenant(1002, 'ben', 'basic', 'no package'),
      tenant(1003, 'cleo', 'gold', 'kept'),
    );
    assert.ok(keepLastPackages(paths, more).ok);
    assert.deepEqual(kept(paths), ['1001 ann gold', '1003 cleo gold']);
    const { ino, mode } = statSync(lastPackagesFile(paths));
    assert.equal(mode & 0o777, 0o600);
    assert.ok(keepLastPackages(paths, more).ok);
    assert.ok(keepLastPackages(paths, { tenants: [] }).ok);
    assert.equal(statSync(lastPackagesFile(paths)).ino, ino);
  });

  test('forgets accounts whose uid or name is another one now, and no others', (t) => {
    const paths = place(
      t,
      'eve:x:1001:1001:',
      'ben:x:1022:1022:',
      'web:x:1004:1:',
      'dora:x:1004:1:',
    );
    const before = [
      { uid: 1001, user: 'ann', package: 'gold' },
      { uid: 1002, user: 'ben', package: 'gold' },
      { uid: 1003, user: 'ldap', package: 'gold' },
      { uid: 1004, user: 'dora', package: 'gold' },
    ];
    writeFileSync(lastPackagesFile(paths), formatLastPackages(before));
    assert.ok(keepLastPackages(paths, policy()).ok);
    assert.deepEqual(kept(paths), ['1003 ldap gold', '1004 dora gold']);
  });

  test('keeps a hundred thousand, and all that have a plan now', (t) => {
    const paths = place(t);
    const before = Array.from({ length: 100_001 }, (_, index) => ({
      uid: 200_000 + index,
      user: `u${index}`,
      package: 'gold',
    }));
    writeFileSync(lastPackagesFile(paths), formatLastPackages(before));
    assert.ok(keepLastPackages(paths, policy(tenant(1001, 'ann', 'gold'))).ok);
    const found = kept(paths);
    assert.equal(found.length, 100_000);
    assert.equal(found[0], '1001 ann gold');
  });

  test('follows no link, and sets a record aside that it cannot read', (t) => {
    const paths = place(t);
    const file = lastPackagesFile(paths);
    writeFileSync(`${paths.etc}/other`, formatLastPackages([{ uid: 1, user: 'x', package: 'y' }]));
    symlinkSync(`${paths.etc}/other`, file);
    assert.ok(!readLastPackages(paths).ok);
    assert.ok(keepLastPackages(paths, policy(tenant(1001, 'ann', 'gold'))).ok);
    assert.deepEqual(kept(paths), ['1001 ann gold']);
    assert.match(readFileSync(`${paths.etc}/other`, 'utf8'), /"x"/);
    const cut = readFileSync(file, 'utf8').slice(0, -5);
    writeFileSync(file, cut);
    const read = readLastPackages(paths);
    assert.ok(!read.ok);
    assert.match(
      formatProblem(read.error),
      /plan-packages\.json": it is damaged; restore .* run: mv /,
    );
    assert.ok(keepLastPackages(paths, policy(tenant(1002, 'ben', 'gold'))).ok);
    assert.deepEqual(kept(paths), ['1002 ben gold']);
    assert.equal(readFileSync(`${file}.damaged`, 'utf8'), cut);
  });

  test('leaves a record that it can neither read nor set aside', (t) => {
    const paths = place(t);
    mkdirSync(lastPackagesFile(paths));
    writeFileSync(`${lastPackagesFile(paths)}.damaged`, 'x');
    assert.ok(!keepLastPackages(paths, policy(tenant(1001, 'ann', 'gold'))).ok);
    assert.ok(statSync(lastPackagesFile(paths)).isDirectory());
  });
});

suite('parseLastPackages()', () => {
  test('refuses a record that was cut off, at whatever byte, and one that is wrong somewhere', () => {
    const all = [{ uid: 1001, user: 'ann', package: 'gold' }];
    const text = formatLastPackages(all).trimEnd();
    assert.ok(parseLastPackages(text).ok);
    for (let length = 0; length < text.length; length++)
      assert.ok(!parseLastPackages(text.slice(0, length)).ok, String(length));
    for (const each of [
      { version: 2 },
      { accounts: {} },
      { accounts: [['1001', 'ann', 'gold']] },
      { accounts: [[1001, 'ann']] },
      { accounts: [null] },
    ])
      assert.ok(!parseLastPackages(JSON.stringify({ ...JSON.parse(text), ...each })).ok);
  });
});
