/** `lvectl` prints rows of a policy, and applies its limits to the kernel that is here. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { planPolicy, releaseAll } from '../../src/apply/apply.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import type { LvectlCall } from '../../src/cloudlinux/commands/lvectl/call.ts';
import { editingVerbs } from '../../src/cloudlinux/commands/lvectl/editing-verbs.ts';
import { readingVerbs } from '../../src/cloudlinux/commands/lvectl/reading-verbs.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { hostHere } from '../conformance/host-here.ts';
import { runLve } from './lve-program.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { LvectlResult } from '../../src/cloudlinux/commands/json.ts';
import {
  text,
  instance,
  directory,
  file,
  usePolicy,
  now,
  lvectl,
  type Listed,
  listed,
  refused,
} from './lvectl-stage.ts';

usePolicy();

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

const kernel = hostHere(instance);

test(
  "lvectl set, apply and apply-many, and cloudlinux-limits set, apply limits to the kernel's cgroups",
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
      const panel = ['cloudlinux-limits', 'set', '--json', '--lve-id', '61002', '--nproc=34'];
      const changed = await runLve(['--instance', instance, ...panel, '--policy', file]);
      assert.deepEqual(jsonOf('cloudlinux-limits', changed.out), { result: 'success' });
      assert.match(now(), /<processes limit="34"\/>/);
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
