/** `init` writes a first policy for the accounts of a host. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { firstPolicy } from '../../src/cli/commands/policy/first-policy.ts';
import { parseAdministrators } from '../../src/host/accounts/administrators.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { directory, usePolicy, bulkhead } from './edit-stage.ts';

usePolicy();

describe('init', () => {
  test('init writes a policy for root only, and replaces one only with --force', () => {
    const path = join(directory, 'etc', 'policy.xml');
    const first = bulkhead('init', '-p', path);
    assert.deepEqual([first.status, first.err], [0, '']);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(bulkhead('check', '-p', path).status, 0);
    assert.match(bulkhead('init', '-p', path).err, /exists already; pass --force to replace it$/m);
    assert.equal(bulkhead('init', '-p', path, '--force').status, 0);
    assert.equal(bulkhead('init', '--stdout').out, readFileSync(path, 'utf8'));
  });

  const account = (user: string, uid: number) => ({ user, uid, gid: uid, home: '/' });
  const many = Array.from({ length: 50 }, (_, index) => account(`user${index}`, 2000 + index));
  const machine = {
    accounts: [account('root', 0), account('a--b-', 1001), account('deploy', 1002), ...many],
    uidMin: 1000,
    uidMax: 60_000,
    administrators: ['deploy', 'ldap-admin'],
    cores: 8,
    memoryBytes: 15.6 * 2 ** 30,
  };

  test('firstPolicy() names the accounts of the host, and leaves administrators out', () => {
    const policy = firstPolicy(machine);
    const { document, diagnostics } = parsePolicy('policy.xml', policy);
    assert.ok(document !== undefined);
    const { tenants } = resolvePolicy(document, machine);
    assert.deepEqual(diagnostics.list, []);
    assert.equal(tenants.length, 51);
    assert.match(policy, /On this host now: a- -b-, user0, /);
    assert.match(policy, /and 31 more\.$/m);
    assert.match(policy, /<tenants uids="1000-60000" except="deploy"\/>/);
    assert.match(policy, /<memory limit="1GiB"\/>/);
  });

  test('firstPolicy() writes lower limits when the host is small, also without accounts', () => {
    const policy = firstPolicy({ ...machine, accounts: [], cores: 1, memoryBytes: 2 ** 29 });
    assert.equal(parsePolicy('policy.xml', policy).diagnostics.failed, false);
    assert.match(policy, /On this host now: none\./);
    assert.match(policy, /<cpu limit="50%"\/>[^]*<memory limit="64MiB"\/>/);
  });

  test('parseAdministrators() returns the members of sudo and wheel', () => {
    const group = 'root:x:0:\nsudo:x:27:bob,alice\nwheel:x:10:alice,a"b\nsudoers:x:5:eve\n';
    assert.deepEqual(parseAdministrators(group), ['alice', 'bob']);
  });
});
