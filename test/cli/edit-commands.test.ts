import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { firstPolicy, parseAdministrators } from '../../src/cli/commands/policy/first-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import type { CheckJson } from '../../src/cli/commands/json.ts';
import type { Explanation } from '../../src/policy/explain.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const text = `<bulkhead version="1">
  <!-- What everybody gets -->
  <defaults>
    <cpu limit="100%"/>  <!-- a core -->
  </defaults>

  <package name="business">
    <memory limit="4GiB"/>
  </package>

  <tenant uid="61001"/>
</bulkhead>
`;

let directory = '';
let file = '';

beforeEach((t) => {
  directory = testDirectory(t, 'edit-commands');
  file = join(directory, 'policy.xml');
  writeFileSync(file, text, { mode: 0o644 });
});

interface Answer {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function bulkhead(...args: string[]): Answer {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  assert.ok(!/^\s+at /m.test(stderr), stderr);
  return { status, out: stdout, err: stderr };
}

/** Edits without touching the kernel of the machine that tests run on. */
function edit(...args: string[]): Answer {
  return bulkhead(...args, '-p', file, '--no-apply');
}

const now = () => readFileSync(file, 'utf8');

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

describe('import and export', () => {
  const cfg = `<lveconfig>
 <defaults><cpu limit="50%"/><ncpu limit="1"/><io limit="1024"/><iops limit="500"/><pmem limit="262144"/><nproc limit="100"/><other maxentryprocs="20"/></defaults>
 <package id="Gold"><pmem limit="524288"/></package>
 <lve id="61001"><cpu limit="25"/><ncpu limit="4"/></lve>
</lveconfig>
`;

  test('import writes a policy, and export ve.cfg converts it back', () => {
    const source = join(directory, 've.cfg');
    const members = join(directory, 'members');
    const target = join(directory, 'new.xml');
    writeFileSync(source, cfg);
    writeFileSync(members, '# who has what\n61002 Gold\n\n');
    const args = ['import', source, '--cores', '8', '--members', members, '--uids', '2000-3000'];
    const imported = bulkhead(...args, '-o', target);
    assert.equal(imported.status, 0, imported.err);
    assert.match(imported.err, /:4:30: note: A "cpu" without "%" is .* converted for 8 cores$/m);
    const policy = readFileSync(target, 'utf8');
    assert.match(policy, /<tenants uids="2000-3000"\/>/);
    assert.match(
      policy,
      /<tenant uid="61001">\n {4}<cpu limit="200%"\/> {2}<!-- 25% of 8 cores -->/,
    );
    assert.match(policy, /<tenant uid="61002" package="Gold"\/>/);
    assert.equal(bulkhead(...args).out, policy);
    assert.match(bulkhead(...args, '-o', target).err, /exists already; pass --force/);
    const exported = bulkhead('export', 've.cfg', '-p', target);
    assert.match(
      exported.out,
      /<lve id="61001">\n {3}<cpu limit="200%"\/>\n {3}<ncpu limit="2"\/>\n <\/lve>/,
    );
    assert.match(exported.out, /<lve id="61002">\n {3}<pmem limit="524288"\/>\n <\/lve>/);
  });

  test('import writes nothing when the ve.cfg has an error', () => {
    const source = join(directory, 've.cfg');
    writeFileSync(source, '<lveconfig><lve id="61001"><cpu limit="2ghz"/></lve></lveconfig>');
    const { status, out, err } = bulkhead('import', source);
    assert.deepEqual([status, out], [1, '']);
    assert.match(err, /error: "2ghz" is a clock rate.*\n.*Nothing written/);
    assert.equal(bulkhead('import', source, '--core-mhz', '4000').status, 0);
    assert.equal(bulkhead('import', source, '--core-mhz', 'fast').status, 2);
    assert.equal(bulkhead('export', 'yaml').status, 2);
  });

  test('import reports a tenant that this host cannot have', () => {
    const source = join(directory, 've.cfg');
    writeFileSync(source, '<lveconfig><lve id="5"><nproc limit="9"/></lve></lveconfig>');
    const { status, err } = bulkhead('import', source);
    assert.equal(status, 1);
    assert.match(err, /error: .*cannot be a tenant: uid 5 belongs to the system/);
  });
});
