/** `lvectl` changes limits in a policy, and refuses what it cannot do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import type { LvectlResult } from '../../src/cloudlinux/commands/json.ts';
import { text, file, usePolicy, now, edit, listed, refused } from './lvectl-stage.ts';

usePolicy();

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
