/** `cloudlinux-limits` and `cloudlinux-packages` on a policy, as panels call and parse them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { capabilities } from '../../src/capabilities.ts';
import { policyReader } from '../../src/apply/load-policy.ts';
import {
  limitsReply,
  type LimitsOptions,
  type LimitsReply,
} from '../../src/cloudlinux/commands/limits/limits-reply.ts';
import { packagesReply } from '../../src/cloudlinux/commands/limits/packages-reply.ts';
import type { CloudlinuxLimitsJson } from '../../src/cloudlinux/commands/json.ts';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import { panelTree, type PanelTree } from '../../testing/panel-tree.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { runLve } from './lve-program.ts';
import { changeResult, readLimits } from './panel-readers.ts';

const gold = 'Gói Pro & <x> हिन्दी';
const text = `<bulkhead version="1">
  <tenants uids="1000-60000"/>
  <!-- What everybody gets -->
  <defaults>
    <cpu limit="100%"/>
    <memory limit="1GiB"/>
    <io total="1MiB/s" operations="1024/s"/>
    <processes limit="100"/>
    <entries limit="20"/>
  </defaults>
  <package name="Gói Pro &amp; &lt;x&gt; हिन्दी">
    <memory limit="2GiB"/>
  </package>
  <reseller user="acme">
    <cpu limit="400%"/>
    <tenant user="bob"/>
  </reseller>
  <tenant user="dave" package="Gói Pro &amp; &lt;x&gt; हिन्दी">
    <cpu limit="150%"/>
    <jail profile="web"/>
  </tenant>
</bulkhead>
`;

let tree: PanelTree;
let file = '';
beforeEach((t) => {
  const directory = testDirectory(t, 'cloudlinux-limits');
  tree = panelTree(directory, { alice: 1001, bob: 1002, dave: 1004, acme: 1009, 1001: 1005 });
  file = join(directory, 'policy.xml');
  writeFileSync(file, text, { mode: 0o644 });
});

const reader = await policyReader(capabilities);
const now = () => readFileSync(file, 'utf8');
const domains = () => Promise.resolve(new Map([[1001, 'shop.example']]));

function reply(verb: string, options: Partial<LimitsOptions> = {}): Promise<LimitsReply> {
  const policy = { file, apply: false, paths: tree.paths, capabilities, reader };
  return limitsReply([verb], {
    options: { policy: file, apply: false, ...options },
    policy,
    domains,
  });
}

async function shown(options: Partial<LimitsOptions> = {}) {
  const found = await reply('get', options);
  assert.ok(found.kind === 'shown');
  return found.json;
}

/** Runs the program, which knows only this host's accounts. */
const run = (command: string, ...args: string[]) =>
  runLve([command, ...args, '--policy', file, '--no-apply']);
const limits = (...args: string[]) => run('cloudlinux-limits', ...args);
const packages = (...args: string[]) => run('cloudlinux-packages', ...args);

test("get has the recorded fields, with a star at a tenant's own limits", async () => {
  const found = await shown();
  assert.deepEqual([found.cageFS, found.items, found.result], ['enabled', 5, 'success']);
  assert.deepEqual(
    found.users.find(({ id }) => id === 1001),
    {
      cageFS: 'disabled',
      domain: 'shop.example',
      id: 1001,
      limits: {
        cpu: { all: '100' },
        ep: '20',
        io: { all: '1024' },
        iops: '1024',
        nproc: '100',
        pmem: '1073741824',
        vmem: '0',
      },
      package: 'None',
      reseller: 'root',
      username: 'alice',
    },
  );
  const dave = found.users.find(({ username }) => username === 'dave');
  assert.deepEqual(
    [dave?.cageFS, dave?.package, dave?.limits.cpu, dave?.limits.pmem, dave?.domain],
    ['enabled', gold, { all: '*150' }, '2147483648', '-'],
  );
  assert.equal(found.users.find(({ username }) => username === 'bob')?.reseller, 'acme');
});

test('get finds a tenant by account, uid, domain and reseller', async () => {
  const names = async (options: Partial<LimitsOptions>) =>
    (await shown(options)).users.map(({ username }) => username);
  assert.deepEqual(await names({ username: 'alice' }), ['alice']);
  assert.deepEqual(await names({ lveId: '1002' }), ['bob']);
  assert.deepEqual(await names({ domain: 'shop.example' }), ['alice']);
  // A reseller's own account is one of its tenants.
  assert.deepEqual(await names({ forReseller: 'acme' }), ['bob', 'acme']);
  for (const options of [{ username: 'eve' }, { lveId: '4' }, { domain: 'no.example' }]) {
    assert.equal((await reply('get', options)).kind, 'no such user');
  }
});

test("set writes a tenant's limits into the policy, and --default removes them again", async () => {
  const set = { username: 'dave', speed: '50', pmem: '512M', maxEntryProcs: '5', io: '2048' };
  assert.deepEqual(await reply('set', set), { kind: 'changed', warnings: [] });
  assert.match(now(), /<!-- What everybody gets -->/);
  const [dave] = (await shown({ username: 'dave' })).users;
  assert.deepEqual(dave?.limits, {
    cpu: { all: '*50' },
    ep: '*5',
    io: { all: '*2048' },
    iops: '1024',
    nproc: '100',
    pmem: '*536870912',
    vmem: '0',
  });
  assert.equal((await reply('set', { username: 'dave', default: 'cpu,io' })).kind, 'changed');
  const [some] = (await shown({ username: 'dave' })).users;
  assert.deepEqual(
    [some?.limits.cpu.all, some?.limits.io.all, some?.limits.ep],
    ['100', '1024', '*5'],
  );
  assert.equal((await reply('set', { username: 'dave', default: 'all' })).kind, 'changed');
  const [none] = (await shown({ username: 'dave' })).users;
  assert.equal(JSON.stringify(none?.limits).includes('*'), false);
  assert.equal(none?.package, gold, 'the package stays');
});

test('set without limits changes nothing, and reports whether the user exists', async () => {
  assert.equal((await reply('set', { username: 'alice' })).kind, 'changed');
  assert.equal((await reply('set', { username: 'alice', default: 'all' })).kind, 'changed');
  assert.equal((await reply('set', { username: 'eve' })).kind, 'no such user');
  assert.equal((await reply('set', { username: 'bob', forReseller: 'root' })).kind, 'no such user');
  assert.equal((await reply('set', { username: 'bob', forReseller: 'acme' })).kind, 'changed');
  assert.equal(now(), text);
});

test('set --reseller-name sets the reseller as a whole', async () => {
  assert.equal((await reply('set', { resellerName: 'acme', pmem: '4G' })).kind, 'changed');
  assert.match(now(), /<reseller user="acme">\s*<cpu limit="400%"\/>\s*<memory limit="4GiB"\/>/);
  assert.equal((await reply('set', { resellerName: 'bob', pmem: '4G' })).kind, 'no such user');
  const administrators = { resellerName: 'acme', forReseller: 'root', pmem: '5G' };
  assert.equal((await reply('set', administrators)).kind, 'changed');
});

test('set --reseller-name is refused for a reseller, and together with a user', async () => {
  for (const forReseller of ['acme', 'other', '']) {
    const refused = await reply('set', { resellerName: 'acme', forReseller, unlimited: true });
    assert.ok(refused.kind === 'failed');
    assert.equal(
      refused.errors.map(formatProblemOrCause).join(),
      'Cannot set limits of the reseller "acme": only the administrator, "root", may',
    );
  }
  for (const user of [{ username: 'bob' }, { lveId: '1002' }, { domain: 'shop.example' }]) {
    const misused = await reply('set', { resellerName: 'acme', ...user, speed: '5' });
    assert.equal(misused.kind, 'usage');
  }
  assert.equal(now(), text);
});

test('set --reseller-name without limits changes nothing, and applies nothing', async () => {
  const applied = () => assert.fail('the policy was applied');
  const policy = {
    file,
    apply: true,
    paths: tree.paths,
    capabilities: [{ policyPart: applied }],
    reader,
  };
  const call = { options: { policy: file, apply: true, resellerName: 'acme' }, policy, domains };
  assert.deepEqual(await limitsReply(['set'], call), { kind: 'changed', warnings: [] });
  assert.equal(now(), text);
});

test('--default=all leaves alone what only Bulkhead has', async () => {
  const own = '<cpu limit="150%" weight="200"/><disk space="1GiB"/><network send="1MiB/s"/>';
  const kept = '<cpu weight="200"/><disk space="1GiB"/><network send="1MiB/s"/>';
  const policyText = (inner: string) =>
    `<bulkhead version="1">
  <package name="gold">${inner}</package>
  <reseller user="acme">${inner}<tenant user="bob"/></reseller>
  <tenant user="dave">${inner}</tenant>
</bulkhead>
`;
  writeFileSync(file, policyText(own));
  for (const target of [{ username: 'dave' }, { resellerName: 'acme' }]) {
    assert.equal((await reply('set', { ...target, default: 'all' })).kind, 'changed');
  }
  const policy = { file, apply: false, paths: tree.paths, capabilities, reader };
  const asked = { policy: file, apply: false, package: 'gold', default: 'all' };
  assert.equal((await packagesReply(['set'], asked, policy)).kind, 'changed');
  assert.equal(now(), policyText(kept));
});

test('an account that is called as another uid is never taken for that uid', async () => {
  // uid 1005 has the account "1001", and alice the uid 1001.
  assert.equal((await reply('set', { lveId: '1005', speed: '10' })).kind, 'changed');
  const found = await shown();
  const speeds = new Map(found.users.map(({ id, limits: { cpu } }) => [id, cpu.all]));
  assert.deepEqual([speeds.get(1001), speeds.get(1005)], ['100', '*10']);
  await reply('set', { username: '1001', speed: '20' });
  const [alice] = (await shown({ username: 'alice' })).users;
  assert.equal(alice?.limits.cpu.all, '100');
});

test('set refuses what it cannot do, and changes nothing', async () => {
  const rows: readonly (readonly [RegExp, Partial<LimitsOptions>])[] = [
    [/Cannot set --cagefs to "enabled": the policy says who has a jail/, { cagefs: 'enabled' }],
    [/Cannot set --inodes to "1,2": a quota has no soft limit here/, { inodes: '1,2' }],
    [/MySQL Governor is not here/, { mysqlCpu: '50' }],
    [/Cannot set --speed to "1;id"/, { speed: '1;id' }],
    [/Cannot set --pmem to "-5": that is not a size/, { pmem: '-5' }],
    [/Cannot set --vmem to "1G": the kernel has no limit/, { vmem: '1G' }],
    [/Cannot use the default of "__proto__": there is no such limit/, { default: '__proto__' }],
    [/the same limit/, { speed: '1', cpu: '1' }],
  ];
  for (const [message, options] of rows) {
    const refused = await reply('set', { username: 'alice', ...options });
    assert.ok(refused.kind === 'failed' || refused.kind === 'usage');
    assert.match(refused.errors.map(formatProblemOrCause).join('\n'), message);
  }
  assert.equal((await reply('set', { username: 'alice', cagefs: 'disabled' })).kind, 'changed');
  assert.equal(now(), text);
});

test('failures are JSON that callers parse, with the status 0 of CloudLinux', async () => {
  writeFileSync(file, '<bulkhead version="1"><tenant uid="61001"/></bulkhead>\n');
  const hostile = ['../../etc/passwd', '$(id)', "a' OR 1=1", '-', '\u001b[2J', '%(user)s', '1001'];
  for (const name of hostile) {
    const { status, out, err } = await limits('set', '--json', `--username=${name}`, '--speed=5');
    assert.deepEqual([status, err], [0, ''], name);
    assert.equal(changeResult(out), 'not found', name);
    const json = jsonOf<CloudlinuxLimitsJson>('cloudlinux-limits', out);
    assert.equal(json.result, 'No such user (%(user)s)');
    assert.equal(readLimits(out), undefined);
  }
  for (const words of [[], ['drop'], ['get', 'more'], ['__proto__'], ['enable-reseller-limits']]) {
    const { status, out } = await limits('--json', ...words);
    assert.deepEqual([status, changeResult(out)], [0, 'failed']);
  }
  const plain = await limits('set', '--username', 'eve', '--speed=5');
  assert.deepEqual([plain.status, plain.out, plain.err], [1, '', 'bulkhead: No such user (eve)\n']);
  assert.equal((await limits('drop')).status, 2);
  writeFileSync(file, '<bulkhead');
  const broken = await limits('get', '--json');
  assert.equal(broken.status, 0);
  assert.equal(readLimits(broken.out), undefined);
});

test("a panel's calls work: set, get with the options first, reset", async () => {
  // The program knows only accounts of this host, so the tenant is a uid.
  writeFileSync(file, '<bulkhead version="1"><tenant uid="61003"/></bulkhead>\n');
  const flags = [
    '--speed=150%',
    '--pmem=1536M',
    '--maxEntryProcs=30',
    '--nproc=120',
    '--io=2048',
    '--iops=2048',
  ];
  const set = await limits('set', '--json', '--lve-id', '61003', ...flags);
  assert.deepEqual([set.status, changeResult(set.out)], [0, 'ok']);
  const { out } = await limits('--json', 'get', '--lve-id', '61003');
  assert.deepEqual(readLimits(out.replace('"username": "-"', '"username": "bob"')), [
    {
      name: 'bob',
      limits: { cpu: 150, ep: 30, io: 2048, iops: 2048, nproc: 120, pmem: 1536 * 2 ** 20, vmem: 0 },
      own: ['cpu', 'ep', 'io', 'iops', 'nproc', 'pmem'],
    },
  ]);
  const reset = await limits('set', '--json', '--lve-id', '61003', '--default', 'all');
  assert.equal(changeResult(reset.out), 'ok');
});

test('cloudlinux-packages keeps names of packages, and lvectl, export and import do', async () => {
  writeFileSync(
    file,
    '<bulkhead version="1"><defaults><cpu limit="100%"/></defaults></bulkhead>\n',
  );
  const set = await packages('set', '--json', '--package', gold, '--speed=20%');
  assert.deepEqual(
    [set.status, jsonOf('cloudlinux-packages', set.out)],
    [0, { result: 'success' }],
  );
  const got = await packages('get', '--json', '--package', gold);
  const {
    packages: [found],
  } = jsonOf<{
    packages: readonly { name: string; reseller: string; limits: { cpu: { all: string } } }[];
  }>('cloudlinux-packages', got.out);
  assert.deepEqual([found?.name, found?.reseller, found?.limits.cpu.all], [gold, 'root', '*20']);
  const listed = await runLve(['lvectl', 'package-list', '--json', '--policy', file]);
  assert.match(listed.out, new RegExp(`"ID": "${gold}"`));
  const exported = await runLve(['export', '--policy', file]);
  const cfg = file.replace('policy.xml', 've.cfg');
  writeFileSync(cfg, exported.out);
  assert.match(exported.out, /<package id="Gói Pro &amp; &lt;x&gt; हिन्दी">/);
  const imported = await runLve(['import', cfg]);
  assert.match(imported.out, /<package name="Gói Pro &amp; &lt;x&gt; हिन्दी">/);
  const reset = await packages('set', '--json', '--package', gold, '--default=all');
  assert.equal(changeResult(reset.out), 'ok');
  const plain = await packages('get');
  assert.match(plain.out, /Gói Pro & <x> हिन्दी +100/);
});

test('cloudlinux-packages refuses packages of others, names that are none, and unknown ones', async () => {
  const rows: readonly (readonly [RegExp, ...string[]])[] = [
    [/belong to the administrator/, 'get', '--reseller-name', 'acme'],
    [/Cannot find the package "silver"/, 'get', '--package', 'silver'],
    [/Name a package/, 'set', '--speed=5'],
    [/is not a name/, 'set', '--package', '"><lve id="0"/>', '--speed=5'],
    [/Cannot find the package "silver"/, 'set', '--package', 'silver'],
    [/Cannot find the package "silver"/, 'set', '--package', 'silver', '--default=vmem'],
    [/Cannot find the package "silver"/, 'set', '--package', 'silver', '--default=all'],
  ];
  writeFileSync(file, '<bulkhead version="1"/>\n');
  for (const [message, ...args] of rows) {
    const { status, out, err } = await packages('--json', ...args);
    assert.deepEqual([status, err], [0, '']);
    const { result } = jsonOf<{ result: string }>('cloudlinux-packages', out);
    assert.match(result, message);
    assert.notEqual((await packages(...args)).status, 0);
  }
  assert.equal(now(), '<bulkhead version="1"/>\n');
});
