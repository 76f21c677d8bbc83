/** Changes without a boot loader, the layers before and after a change, and a run that was killed before it wrote. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { Layer } from '../../../packages/base/layer.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { lsmProblem } from '../../../src/sys/bpf/lsm.ts';
import { layersAtBoot } from '../../../src/setup/commands/boot/layers.ts';
import { readBootRecord } from '../../../src/setup/io/boot/boot-record-file.ts';
import { changeBoot, planBoot, type BootChange } from '../../../src/setup/io/boot/change-boot.ts';
import { undoBoot } from '../../../src/setup/io/boot/undo-boot.ts';
import {
  at,
  boot,
  host,
  paths,
  read,
  stage,
  tree,
  undo,
  useHost,
  withGrub,
  withGrubby,
  write,
} from './stage.ts';

useHost();

const fstab = 'UUID=a / ext4 rw 0 1\nUUID=b /home xfs defaults 0 2\n';

function change(wanted: Partial<BootChange>) {
  const none: BootChange = { options: ['quota'], words: [], fstab: [], now: [] };
  const plan = planBoot(host(), undefined, { ...none, ...wanted }, '');
  return plan.ok ? changeBoot(host(), paths(), plan.value) : plan;
}

suite('a change without a boot loader', () => {
  const uquota = { fstab: [{ mountPoint: '/home', option: 'uquota' }] };

  test('edits one option of /etc/fstab, and undo takes it out of an edited file', () => {
    write('etc/fstab', fstab);
    const before = tree();
    assert.ok(change(uquota).ok);
    assert.match(read('etc/fstab'), /^UUID=b \/home xfs defaults,uquota 0 2$/m);
    assert.deepEqual(stage.calls, []);
    write('etc/fstab', `${read('etc/fstab')}UUID=c /srv xfs uquota 0 2\n`);
    const record = readBootRecord(paths());
    assert.ok(record.ok && record.value !== undefined);
    const undone = undoBoot(host(), paths(), record.value);
    assert.deepEqual(undone.ok && undone.value, [
      '/etc/fstab was edited since: only the words of Bulkhead were taken out',
    ]);
    assert.equal(read('etc/fstab'), `${fstab}UUID=c /srv xfs uquota 0 2\n`);
    write('etc/fstab', fstab);
    assert.deepEqual(tree(), before);
  });

  test('refuses a file that somebody edits between plan and change', () => {
    write('etc/fstab', fstab);
    const none: BootChange = { options: [], words: [], fstab: [], now: [] };
    const plan = planBoot(host(), undefined, { ...none, ...uquota }, '');
    assert.ok(plan.ok);
    write('etc/fstab', `${fstab}# new\n`);
    const before = tree();
    const done = changeBoot(host(), paths(), plan.value);
    assert.match(done.ok ? '' : formatProblem(done.error), /another program changed it meanwhile/);
    assert.deepEqual(tree(), before);
  });

  test('is undone if the mount refuses its option', () => {
    write('etc/fstab', fstab);
    const before = tree();
    stage.answer = () => undefined;
    const now = [['mount', '-o', 'remount,favordynmods', '/sys/fs/cgroup']];
    const done = change({ ...uquota, now });
    assert.match(
      done.ok ? '' : formatProblem(done.error),
      /remount,favordynmods.*all is as before/,
    );
    assert.deepEqual(tree(), before);
  });
});

test('layers name the command, then the next reboot, and after undo the command', async () => {
  withGrub();
  const hint = lsmProblem(paths())?.hint ?? '';
  assert.match(hint, /bulkhead setup boot/);
  const layer: Layer = { key: 'strict placement', state: 'unavailable', reason: hint };
  const shown = () => layersAtBoot(paths(), host())(layer);
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot) return assert.deepEqual(shown(), layer);
  assert.deepEqual([shown().boot, shown().improve], ['needed', 'bulkhead setup boot']);
  await boot();
  assert.deepEqual([shown().boot, shown().improve], ['written', undefined]);
  await boot(undo);
  assert.equal(shown().boot, 'needed');
  write('.dockerenv', '');
  assert.deepEqual(shown(), layer);
  rmSync(at('.dockerenv'));
  write('boot/config-6.12.1', 'CONFIG_PSI=y\n');
  assert.deepEqual(shown(), layer);
});

test('undo goes on if the boot loader was removed since, and says so', async () => {
  withGrub();
  const before = tree();
  await boot();
  rmSync(at('usr/sbin/update-grub'));
  stage.answer = () => undefined;
  const { status, errors } = await boot(undo);
  assert.equal(status, 0, errors);
  assert.match(errors, /"update-grub" was not run, since update-grub is not installed any more/);
  assert.deepEqual(
    [...tree().keys()],
    [...before.keys()].filter((each) => !each.includes('sbin')),
  );
});

for (const [name, prepare] of [
  ['grub', () => withGrub()],
  ['grubby', () => withGrubby('quiet')],
] as const)
  test(`a run of ${name} that was killed before it wrote a file leaves all as before`, async () => {
    prepare();
    const before = tree();
    const { answer } = stage;
    stage.answer = (command) => {
      if (command.includes('--info=ALL')) return answer(command);
      throw new Error('killed');
    };
    await assert.rejects(boot(), /killed/);
    stage.answer = answer;
    for (const path of tree().keys())
      if (!path.endsWith('setup-boot.json') && !before.has(path)) rmSync(path);
    for (const [path, text] of before) writeFileSync(path, text);
    assert.equal((await boot(undo)).status, 0);
    assert.deepEqual(tree(), before);
  });
