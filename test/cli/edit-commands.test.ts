/** Commands that edit a policy change what they name, and keep all else. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import type { CheckJson } from '../../src/cli/commands/json.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import { text, directory, file, usePolicy, bulkhead, edit, now } from './edit-stage.ts';

usePolicy();

test('set writes limits and the package of a tenant, and keeps all else', () => {
  const { status, out, err } = edit(
    'set',
    '61001',
    'cpu=150%',
    'memory.soft=3GiB',
    'package=business',
  );
  assert.deepEqual([status, err], [0, '']);
  assert.equal(out, `Changed tenant "61001" in ${file}\n`);
  assert.equal(
    now(),
    text.replace(
      '  <tenant uid="61001"/>\n',
      `  <tenant uid="61001" package="business">
    <cpu limit="150%"/>
    <memory soft="3GiB"/>
  </tenant>
`,
    ),
  );
  assert.match(
    edit('set', '61001', 'cpu=150%').out,
    /^Nothing to change in .*: it is set already\n/,
  );
  edit('set', '61001', 'package=', '--unset', 'cpu', '--unset', 'memory.soft');
  assert.equal(now(), text);
  assert.deepEqual(readdirSync(directory), ['policy.xml']);
});

test('unset and remove change the policy, and nothing with --dry-run', () => {
  edit('set', '61001', 'io.read=1MiB/s', 'io.write=1MiB/s');
  const dry = bulkhead('unset', '61001', 'io', '-p', file, '--dry-run');
  assert.match(dry.out, /^-    <io read="1MiB\/s" write="1MiB\/s"\/>$/m);
  assert.match(now(), /<io /);
  edit('unset', '61001', 'io');
  assert.equal(now(), text);
  edit('remove', '61001');
  assert.equal(now(), text.replace('\n  <tenant uid="61001"/>\n', ''));
});

test('set, explain, unset and remove take a site of a tenant', () => {
  const done = edit('set', '61001/Shop.example', 'cpu=150%', 'memory=512MiB');
  assert.equal(done.status, 0, done.err);
  assert.match(done.out, /Changed site "shop\.example" of tenant "61001" in/);
  assert.match(done.err, /warning: The cpu limit 150% is above the 100% of tenant uid 61001/);
  const explained = bulkhead('explain', '61001/shop.example', '-p', file);
  assert.match(explained.out, /^uid 61001\/shop\.example /m);
  assert.match(explained.out, /cpu limit +150% \(tenant: 100%\) +the site itself +\S+:\d+$/m);
  assert.match(explained.out, /processes limit +unlimited +not set/);
  assert.doesNotMatch(explained.out, /disk/);
  const asJson = jsonOf<Explanation>(
    'explain',
    bulkhead('explain', '61001/shop.example', '--json', '-p', file).out,
  );
  assert.equal(asJson.site, 'shop.example');
  assert.deepEqual(asJson.limits.find((each) => each.limit === 'cpu limit')?.boundBy, 'tenant');
  assert.match(
    bulkhead('explain', '61001/shop.exampel', '-p', file).err,
    /it is not a site of that tenant in .*; did you mean "shop\.example"\?/,
  );
  assert.equal(edit('unset', '61001/shop.example', 'cpu').status, 0);
  assert.match(now(), /<site name="shop\.example">\s+<memory limit="512MiB"\/>\s+<\/site>/);
  assert.equal(edit('remove', '61001/shop.example').status, 0);
  assert.doesNotMatch(now(), /site/);
  for (const name of ['61001/../x', '61001/', '61001/a b', '61001/é.example']) {
    const refused = edit('set', name, 'cpu=5%');
    assert.equal(refused.status, 1, name);
    assert.match(refused.err, /is not a host name/);
  }
});

test('set refuses unknown names, and changes nothing', () => {
  const rows: readonly (readonly [number, RegExp, ...string[]])[] = [
    [1, /^bulkhead: There is no user "no-such-user" on this host/, 'no-such-user', 'cpu=5%'],
    [
      1,
      /^bulkhead: There is no package "busines"; did you mean "business"\?$/m,
      '61001',
      'package=busines',
    ],
    [1, /^bulkhead: "root" cannot be a tenant: uid 0 is root$/m, 'root', 'cpu=5%'],
    [2, /^bulkhead: There is no limit "cpus"; did you mean "cpu"\?$/m, '61001', 'cpus=5%'],
    [2, /^bulkhead: There is nothing to change/, '61001'],
  ];
  for (const [status, message, ...args] of rows) {
    const answer = edit('set', ...args);
    assert.equal(answer.status, status, answer.err);
    assert.match(answer.err, message);
    assert.equal(now(), text);
  }
});

test('set prints warnings about the resulting policy', () => {
  edit('set', '61001', 'package=business');
  assert.match(edit('set', '61001', 'memory.soft=5GiB').err, /warning: The soft memory limit 5GiB/);
});

test('set writes the file, and applies nothing when it has another error', () => {
  writeFileSync(file, text.replace('limit="4GiB"', 'limit="4G"'));
  const { status, err } = bulkhead('set', '61001', 'cpu=5%', '-p', file);
  assert.equal(status, 1);
  assert.match(err, /8:20: error: .*unknown unit "G"/);
  assert.match(now(), /<cpu limit="5%"\/>/);
});

test('set refuses a ve.cfg, and a file that others can write', () => {
  writeFileSync(file, '<lveconfig/>');
  assert.match(edit('set', '61001', 'cpu=5%').err, /it is a ve\.cfg; see "bulkhead import"$/m);
  const other = join(directory, 'other.xml');
  writeFileSync(other, text, { mode: 0o666, flush: true });
  spawnSync('chmod', ['666', other]);
  const answer = bulkhead('set', '61001', 'cpu=5%', '-p', other, '--no-apply');
  assert.match(answer.err, /written by others than its owner; run: chmod go-w/);
});

test('check and explain --by-tenants print JSON', () => {
  const checked = jsonOf<CheckJson>('check', bulkhead('check', file, '--json').out);
  assert.deepEqual([checked.ok, checked.problem], [true, undefined]);
  const missing = jsonOf<CheckJson>('check', bulkhead('check', `${file}.none`, '--json').out);
  assert.equal(missing.ok, false);
  assert.match(missing.problem ?? '', /^Cannot /);
  const own = bulkhead('explain', '--by-tenants', '--json', '-p', file).out;
  assert.deepEqual(jsonOf('explain', own), { limits: [] });
});

test('package set, unset, remove and list edit and print packages', () => {
  assert.equal(edit('package', 'set', 'gold', 'cpu=200%').status, 0);
  assert.match(now(), / {2}<package name="gold">\n {4}<cpu limit="200%"\/>\n {2}<\/package>\n/);
  edit('set', '61001', 'package=gold');
  assert.match(edit('package', 'remove', 'gold').err, /inherited from in line 15$/m);
  const list = bulkhead('package', 'list', '-p', file);
  assert.match(list.out, /^gold +1 {2}cpu=200%$/m);
  const json = jsonOf('package list', bulkhead('package', 'list', '-p', file, '--json').out);
  assert.deepEqual(json, {
    packages: [
      { name: 'business', tenants: 0, limits: { 'memory.limit': '4GiB' } },
      { name: 'gold', tenants: 1, limits: { 'cpu.limit': '200%' } },
    ],
  });
  edit('package', 'unset', 'gold', 'cpu');
  assert.match(now(), /<package name="gold"\/>/);
  edit('unset', '61001', 'package');
  edit('package', 'remove', 'gold');
  assert.equal(now(), text);
});

test('defaults set and unset edit the defaults', () => {
  edit('defaults', 'set', 'processes=50');
  assert.match(now(), /<!-- a core -->\n {4}<processes limit="50"\/>\n/);
  edit('defaults', 'unset', 'processes');
  assert.equal(now(), text);
});

test('reseller set, add-tenant, unset and remove edit resellers', () => {
  edit('reseller', 'set', '61010', 'cpu=4 cores', 'package=business');
  edit('reseller', 'add-tenant', '61010', '61011');
  assert.match(
    now(),
    /<reseller uid="61010" package="business">\n {4}<cpu limit="4 cores"\/>\n {4}<tenant uid="61011"\/>\n/,
  );
  assert.match(edit('reseller', 'add-tenant', '61010', '61001').err, /already in the policy/);
  edit('reseller', 'unset', '61010', 'cpu');
  assert.match(edit('reseller', 'remove', '61010').err, /it has 1 tenant; pass --with-tenants/);
  edit('reseller', 'remove', '61010', '--with-tenants');
  assert.equal(now(), text);
});

test('package, defaults and reseller are usage errors without a verb', () => {
  for (const noun of ['package', 'defaults', 'reseller']) assert.equal(bulkhead(noun).status, 2);
});
