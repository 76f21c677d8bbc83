/** `lvectl` on a policy in a directory of its own, and on the kernel that is here. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { planPolicy, releaseAll } from '../../src/apply/apply.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import type { LvectlCall } from '../../src/cloudlinux/commands/call.ts';
import { parseCpuinfoMegahertz, readCoreMegahertz } from '../../src/cloudlinux/io/core-clock.ts';
import { editingVerbs } from '../../src/cloudlinux/commands/editing-verbs.ts';
import { readingVerbs } from '../../src/cloudlinux/commands/reading-verbs.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { limitWords, type LimitOptions } from '../../src/cloudlinux/commands/limit-options.ts';
import { lveRow, lveTable } from '../../src/cloudlinux/commands/rows.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { CpuFraction } from '../../packages/base/quantity.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { hostHere } from '../conformance/host-here.ts';
import { runLve, type Answer } from './lve-program.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import type { LvectlResult } from '../../src/cloudlinux/commands/json.ts';

const text = `<bulkhead version="1">
  <!-- What everybody gets -->
  <defaults>
    <cpu limit="100%"/>  <!-- a core -->
    <memory limit="1GiB"/>
    <io read="1MiB/s" write="1MiB/s" reads="1024/s" writes="512/s"/>
    <processes limit="100"/>
    <entries limit="20"/>
  </defaults>

  <package name="gold">
    <memory limit="2GiB"/>
  </package>

  <reseller uid="61900">
    <cpu limit="400%"/>
    <tenant uid="61003"/>
  </reseller>

  <tenant uid="61001"/>
  <tenant uid="61002" package="gold">
    <memory soft="1GiB"/>
  </tenant>
</bulkhead>
`;

const instance = 'bulkhead-lve-apply';
let directory = '';
let file = '';

beforeEach((t) => {
  directory = testDirectory(t, 'lvectl');
  file = join(directory, 'policy.xml');
  writeFileSync(file, text, { mode: 0o644 });
});

const now = () => readFileSync(file, 'utf8');
const lvectl = (...args: string[]) => runLve(['lvectl', ...args, '--policy', file]);
/** Does not touch the kernel of the machine that runs the tests. */
const edit = (...args: string[]) => lvectl(...args, '--no-apply');

interface Listed {
  readonly data: readonly Readonly<Record<string, string>>[];
}

async function listed(...args: string[]): Promise<Listed['data']> {
  const { status, out, err } = await lvectl(...args, '--json');
  assert.deepEqual([status, err], [0, '']);
  return jsonOf<Listed>('lvectl', out).data;
}

function refused({ status, out, err }: Answer, code: number, message: RegExp): void {
  assert.deepEqual([status, out], [code, '']);
  assert.match(err, message);
}

test("lvectl list prints CloudLinux's columns, right-aligned to 8 characters", async () => {
  const { status, out, err } = await lvectl('list');
  assert.deepEqual([status, err], [0, '']);
  assert.equal(
    out,
    [
      '      ID   SPEED    PMEM    VMEM      EP   NPROC      IO    IOPS',
      ' default     100   1024M      0K      20     100    1024    1024',
      '   61001     100   1024M      0K      20     100    1024    1024',
      '   61002     100   2048M      0K      20     100    1024    1024',
      '   61003     100   1024M      0K      20     100    1024    1024',
      '',
    ].join('\n'),
  );
});

test('lvectl list --json prints every value as text, wherever the option is', async () => {
  const cpu = String(Math.max(1, Math.round(100 / availableParallelism())));
  const [row] = await listed('list');
  assert.deepEqual(Object.entries(row ?? {}), [
    ['ID', 'default'],
    ['SPEED', '100'],
    ['CPU', cpu],
    ['PMEM', '1024M'],
    ['VMEM', '0K'],
    ['EP', '20'],
    ['NPROC', '100'],
    ['IO', '1024'],
    ['IOPS', '1024'],
  ]);
  const before = await runLve(['lvectl', '--json', '--policy', file, 'list']);
  assert.deepEqual(jsonOf<Listed>('lvectl', before.out).data, await listed('list'));
});

test('lvectl list-user, package-list, list-reseller and paneluserslimits print rows', async () => {
  assert.deepEqual(
    (await listed('list-user', '61002')).map((each) => [each['ID'], each['PMEM']]),
    [['61002', '2048M']],
  );
  assert.deepEqual(
    (await listed('package-list')).map((each) => [each['ID'], each['PMEM'], each['SPEED']]),
    [
      ['VE_DEFAULT', '1024M', '100'],
      ['gold', '2048M', '100'],
    ],
  );
  assert.deepEqual(
    (await listed('list-reseller')).map((each) => [each['ID'], each['SPEED'], each['PMEM']]),
    [
      ['default', '100', '1024M'],
      ['61900', '400', '0K'],
    ],
  );
  assert.deepEqual(
    (await listed('paneluserslimits')).map((each) => each['ID']),
    ['default'],
  );
  refused(await lvectl('list', '61009'), 1, /^bulkhead: Cannot list "61009": the policy has no/);
});

test('lvectl list-user, set-user and delete-user take account names', async () => {
  writeFileSync(join(directory, 'passwd'), 'alice:x:61001:61001::/home/alice:/bin/sh\n');
  writeFileSync(join(directory, 'login.defs'), 'UID_MIN 1000\n');
  const call: LvectlCall = {
    words: [],
    options: { policy: file, apply: false },
    paths: { ...pathsOf(instance), etc: directory },
    capabilities: [],
    reader: new PolicyReader(),
    version: '',
  };
  const ids = async (name: string, ...args: string[]) => {
    const outcome = await readingVerbs[name]?.run({ ...call, words: args });
    assert.ok(outcome?.kind === 'rows', JSON.stringify(outcome));
    return outcome.rows.map((each) => each.ID);
  };
  assert.deepEqual(await ids('list-user'), ['default', 'alice', '61002', '61003']);
  assert.deepEqual(await ids('list-user', 'alice'), ['alice']);
  assert.deepEqual(await ids('list'), ['default', '61001', '61002', '61003']);
  assert.deepEqual(await ids('paneluserslimits'), ['default', '61001']);
  const words = ['alice'];
  const options = { ...call.options, nproc: '7', ncpu: '3' };
  const set = await editingVerbs['set-user']?.run({ ...call, words, options });
  assert.equal(set?.kind, 'done');
  // The policy knows alice by her uid, and her CPU of one core is less than three.
  assert.match(
    now(),
    /<tenant uid="61001">\s*<cpu limit="100%"\/>\s*<processes limit="7"\/>\s*<\/tenant>/,
  );
  await editingVerbs['delete-user']?.run({ ...call, words });
  assert.equal(now(), text);
});

test("lvectl set writes Bulkhead's units, and keeps all else", async () => {
  const { status, out, err } = await edit(
    'set',
    '61001',
    '--speed=150%',
    '--pmem=512M',
    '--io=2048',
    '--iops',
    '300',
    '--nproc=0',
    '--maxEntryProcs=30',
    '--vmem=0K',
  );
  assert.deepEqual([status, err], [0, '']);
  assert.equal(out, `Changed tenant uid 61001 in ${file}\n`);
  assert.equal(
    now(),
    text.replace(
      '  <tenant uid="61001"/>\n',
      `  <tenant uid="61001">
    <cpu limit="150%"/>
    <memory limit="512MiB"/>
    <io total="2MiB/s" operations="300/s" read="unlimited" write="unlimited" reads="unlimited" writes="unlimited"/>
    <processes limit="unlimited"/>
    <entries limit="30"/>
  </tenant>
`,
    ),
  );
  const [row] = await listed('list', '61001');
  assert.deepEqual(
    [row?.['SPEED'], row?.['PMEM'], row?.['IO'], row?.['IOPS'], row?.['NPROC']],
    ['150', '512M', '2048', '300', '0'],
  );
});

test('lvectl set accepts what lvectl list prints', async () => {
  const [row] = await listed('list', '61002');
  const back = await edit(
    'set',
    '61001',
    `--speed=${row?.['SPEED']}%`,
    `--pmem=${row?.['PMEM']}`,
    `--vmem=${row?.['VMEM']}`,
    `--maxEntryProcs=${row?.['EP']}`,
    `--nproc=${row?.['NPROC']}`,
    `--io=${row?.['IO']}`,
    `--iops=${row?.['IOPS']}`,
  );
  assert.equal(back.status, 0, back.err);
  const [again] = await listed('list', '61001');
  assert.deepEqual({ ...again, ID: '' }, { ...row, ID: '' });
});

test('lvectl set default, package-set and set-reseller write the policy', async () => {
  await edit('set', 'default', '--speed=50%');
  assert.match(now(), /<cpu limit="50%"\/> {2}<!-- a core -->/);
  await edit('package-set', 'silver', '--pmem=1G', '--unlimited');
  assert.match(now(), /<package name="silver">[^]*<memory limit="1GiB"\/>[^]*<\/package>/);
  assert.match(now(), /<package name="silver">\s*<cpu limit="unlimited"\/>/);
  await edit('set-reseller', '61900', '--speed=200%');
  assert.match(now(), /<reseller uid="61900">\n {4}<cpu limit="200%"\/>/);
  const json = await edit('set', '61001', '--nproc=9', '--json');
  assert.equal(jsonOf<LvectlResult>('lvectl', json.out).result, 'success');
  assert.equal(json.err, '');
});

test('lvectl set --save-all-parameters writes inherited limits too', async () => {
  await edit('set', '61002', '--speed=20%', '--save-all-parameters');
  const tenant = /<tenant uid="61002"[^]*<\/tenant>/.exec(now())?.[0] ?? '';
  assert.match(tenant, /<cpu limit="20%"\/>/);
  assert.match(tenant, /<memory .*limit="2GiB"/);
  assert.match(
    tenant,
    /<io total="unlimited" operations="unlimited" read="1MiB\/s" write="1MiB\/s" reads="1024\/s" writes="512\/s"\/>/,
  );
  assert.match(tenant, /<entries limit="20"\/>/);
});

test("lvectl delete removes a tenant's limits, and keeps its package", async () => {
  await edit('set', '61001', '--speed=7%');
  await edit('delete', '61001');
  assert.equal(now(), text);
  assert.match((await edit('delete', '61001')).out, /^Nothing to change/);
  await edit('delete', '61002');
  assert.match(now(), /<tenant uid="61002" package="gold"\/?>/);
  refused(await edit('delete', '61009'), 1, /no element for tenant uid 61009/);
});

test('lvectl package-delete and remove-reseller keep elements that are in use', async () => {
  await edit('package-delete', 'gold');
  assert.match(now(), /<package name="gold"\/?>/);
  assert.doesNotMatch(now(), /2GiB/);
  await edit('remove-reseller', '61900');
  assert.match(now(), /<reseller uid="61900">\s*<tenant uid="61003"\/>/);
  await edit('package-set', 'silver', '--speed=5%');
  await edit('package-delete', 'silver');
  assert.doesNotMatch(now(), /silver/);
  refused(await edit('package-delete', 'iron'), 1, /no element for package "iron"/);
});

test('lvectl changes nothing when it refuses an option, a value or a command', async () => {
  const rows: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
    [1, /Cannot set --vmem to "1G": the kernel has no limit/, 'set', '61001', '--vmem=1G'],
    [1, /Cannot set --mem to "4096"/, 'set', '61001', '--mem=4096', '--speed=5%'],
    [1, /Cannot change limits: none is given; write for example --speed=100%/, 'set', '61001'],
    [
      1,
      /Cannot set --speed to "fast": that is not a share of a core/,
      'set',
      '61001',
      '--speed=fast',
    ],
    [1, /Cannot set --nproc to "1\.5": that is not a whole number/, 'set', '61001', '--nproc=1.5'],
    [1, /Cannot set --pmem to "x": that is not a size/, 'set', '61001', '--pmem=x'],
    [
      1,
      /Cannot use --speed and --cpu: they are the same limit/,
      'set',
      '61001',
      '--speed=5%',
      '--cpu=5',
    ],
    [1, /"root" cannot be a tenant/, 'set-user', 'root', '--speed=5%'],
    [1, /There is no user "no-such-user"/, 'set-user', 'no-such-user', '--speed=5%'],
    [1, /Cannot run "lvectl limit": single processes are not moved/, 'limit', '1', '61001'],
    [1, /Cannot run "lvectl release"/, 'release', '1'],
    [1, /Cannot run "lvectl set-binary"/, 'set-binary', '/bin/sh'],
    [1, /Cannot run "lvectl destroy"/, 'destroy', 'all'],
    [2, /There is no "lvectl lst"; did you mean "list"\?/, 'lst'],
    [2, /There is no "lvectl toString"/, 'toString'],
    [2, /Write one ID\|default/, 'set', '--speed=5%'],
    [2, /Write one ID/, 'delete', '61001', '61002'],
    [2, /unknown option '--sped=5%'/, 'set', '61001', '--sped=5%'],
  ];
  for (const [code, message, ...args] of rows) {
    refused(await edit(...args), code, message);
    assert.equal(now(), text);
  }
  const json = await edit('set', '61001', '--vmem=1G', '--json');
  assert.deepEqual([json.status, json.err], [1, '']);
  assert.match(jsonOf<LvectlResult>('lvectl', json.out).result, /^Cannot set --vmem/);
});

test('lvectl list prints only the error when the policy is invalid', async () => {
  writeFileSync(file, text.replace('limit="2GiB"', 'limit="2G"'));
  refused(await lvectl('list'), 1, /12:20: error: .*unknown unit "G"/);
  const json = await lvectl('list', '--json');
  assert.equal(json.status, 1);
  assert.match(jsonOf<LvectlResult>('lvectl', json.out).result, /unknown unit "G"/);
});

test("lvectl help, version and lve-version print what CloudLinux's do", async () => {
  assert.match((await lvectl('version')).out, /^bulkhead \d+\.\d+\.\d+\n$/);
  assert.equal((await lvectl('-v')).out, (await lvectl('version')).out);
  assert.equal((await lvectl('lve-version')).out, '8\n');
  for (const words of [['help'], ['--help']]) {
    const { status, out } = await lvectl(...words);
    assert.equal(status, 0);
    assert.match(out, /^ {2}set ID\|default LIMITS +set the limits of a tenant/m);
    assert.equal(out.match(/^Commands:$/gm)?.length, 1);
  }
  const bare = await runLve(['lvectl']);
  assert.deepEqual([bare.status, bare.out], [2, '']);
});

test('limitWords() converts as CloudLinux does', () => {
  const place = {
    cores: 4,
    coreMegahertz: 2500,
    values: { 'cpu.limit': 1.5 as CpuFraction },
    numbers: { 'cpu.limit': 1.5 },
  };
  const rows: readonly (readonly [options: LimitOptions, words: readonly string[]])[] = [
    [{ cpu: '25' }, ['cpu.limit=100%']],
    [{ cpu: '25%' }, ['cpu.limit=25%']],
    [{ speed: '150' }, ['cpu.limit=150%']],
    [{ speed: '1ghz' }, ['cpu.limit=40%']],
    [{ speed: '1250MHz' }, ['cpu.limit=50%']],
    [{ speed: '300%', ncpu: '2' }, ['cpu.limit=200%']],
    [{ speed: '100%', ncpu: '2' }, ['cpu.limit=100%']],
    [{ ncpu: '1' }, ['cpu.limit=100%']],
    [{ ncpu: '3' }, ['cpu.limit=150%']],
    [{ speed: '0' }, ['cpu.limit=unlimited']],
    [{ pmem: '1048576' }, ['memory.limit=1GiB']],
    [{ pmem: '1.5g' }, ['memory.limit=1536MiB']],
    [{ pmem: '512MB' }, ['memory.limit=512MiB']],
    [{ pmem: '0' }, ['memory.limit=unlimited']],
    [{ io: '2048KB/s' }, ['io.total=2MiB/s']],
    [{ iops: 'unlimited' }, ['io.operations=unlimited']],
    [{ ep: '7' }, ['entries.limit=7']],
  ];
  for (const [options, words] of rows) {
    assert.deepEqual(
      limitWords(options, place),
      { ok: true, value: words },
      JSON.stringify(options),
    );
  }
  const unknown = limitWords({ speed: '1ghz' }, { ...place, coreMegahertz: undefined });
  assert.ok(!unknown.ok);
  assert.match(unknown.error[0]?.reason ?? '', /clock rate of a core is not known/);
});

test('readCoreMegahertz() returns the maximum of cpufreq, else the rate of /proc/cpuinfo', () => {
  const cpufreq = join(directory, 'devices/system/cpu/cpu0/cpufreq');
  mkdirSync(cpufreq, { recursive: true });
  const paths = { proc: directory, sys: directory };
  assert.equal(readCoreMegahertz(paths), undefined);
  writeFileSync(
    join(directory, 'cpuinfo'),
    'model name\t: x\ncpu MHz\t\t: 2596.128\n\ncpu MHz\t\t: 1.0\n',
  );
  assert.equal(readCoreMegahertz(paths), 2596.128);
  writeFileSync(join(cpufreq, 'cpuinfo_max_freq'), '3500000\n');
  assert.equal(readCoreMegahertz(paths), 3500);
  for (const text of ['', 'cpu MHz\t\t: 0.000\n', 'cpu MHz: fast\n']) {
    assert.equal(parseCpuinfoMegahertz(text), undefined);
  }
});

test('lveRow() gives the larger of reads and writes, and 0 for no limit', () => {
  const row = lveRow('a\u001b[2J', { 'io.read': 100, 'io.write': 3 * 2 ** 20, 'io.reads': 5 }, 4);
  assert.deepEqual([row.ID, row.IO, row.IOPS, row.PMEM], ['a\\u{1b}[2J', '3072', '0', '0K']);
  assert.equal(lveRow('x', { 'cpu.limit': 0.001 }, 4).SPEED, '1');
  assert.equal(lveRow('x', { 'memory.limit': 1536 * 1024 }, 4).PMEM, '1536K');
  const table = lveTable([lveRow('a-long-name', { 'memory.limit': 2 ** 54 }, 4)]);
  const [header = '', line = ''] = table.split('\n');
  assert.equal(header.length, line.length);
  assert.match(line, /^a-long-name {7}0 17179869184M/);
});

const kernel = hostHere(instance);

test(
  "lvectl set, apply and apply-many apply limits to the kernel's cgroups",
  {
    skip: 'skip' in kernel ? kernel.skip : false,
  },
  async () => {
    assert.ok('host' in kernel);
    // A machine may lack a controller; CPU, memory and processes are those that every one has.
    const possible = text.replaceAll(/^ *<(?:io|entries) .*\n/gm, '');
    const element = treeElement(kernel.host.paths);
    writeFileSync(file, possible.replace('<bulkhead version="1">', `$&${element}`));
    const held = (...args: string[]) =>
      runLve(['--instance', instance, 'lvectl', ...args, '--policy', file]);
    try {
      const set = await held('set', '61001', '--nproc=33', '--pmem=64M');
      assert.deepEqual([set.status, set.err], [0, '']);
      const driver = kernel.host.probe();
      assert.ok(driver.ok);
      const counters = driver.value.counters('u61001');
      assert.ok(counters !== undefined, 'the tenant has no cgroup');
      const { policy } = new PolicyReader().load(file, kernel.host.paths);
      assert.ok(policy !== undefined);
      assert.deepEqual(planPolicy(policy, driver.value).operations, []);
      assert.equal((await held('apply', 'all')).status, 0);
      assert.equal((await held('apply', '61001', '--json')).status, 0);
      refused(
        await held('apply', '61009'),
        1,
        /Cannot apply "61009": the policy has no such tenant/,
      );
      const many = ['--instance', instance, 'lvectl', 'apply-many', '--policy', file];
      assert.equal((await runLve(many, '61001\n61002\n')).status, 0);
      refused(await runLve(many, '61001 61009\n'), 1, /Cannot apply "61009"/);
      refused(await runLve(many, ' 61001'.repeat(200_000)), 1, /longer than 1048576 bytes/);
    } finally {
      releaseAll(kernel.host, { kill: false });
      rmSync(kernel.host.paths.runtime, { recursive: true, force: true });
      rmSync(kernel.host.paths.state, { recursive: true, force: true });
    }
    const driver = kernel.host.probe();
    assert.ok(driver.ok);
    assert.equal(driver.value.counters('u61001'), undefined);
  },
);

test('parsePolicy() accepts the policy of these tests', () => {
  assert.deepEqual(parsePolicy('policy.xml', text).diagnostics.list, []);
});
