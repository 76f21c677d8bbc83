/** `modules deny --boot` edits the kernel command line of GRUB, systemd-boot and grubby. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { denyText } from '../../src/modules/commands/deny/deny.ts';
import { editCommandLine } from '../../packages/modules/core/modprobe/blacklist-parameter.ts';
import {
  conf,
  grubCfg,
  stage,
  useHost,
  write,
  read,
  tree,
  deny,
  refusal,
  withGrub,
} from './deny-stage.ts';

useHost();

const withSystemdBoot = (options: string) => {
  write('usr/bin/kernel-install', '');
  write('boot/efi/loader/loader.conf', 'timeout 3\n');
  write('etc/kernel/cmdline', options);
  write('usr/lib/modules/6.12.1/vmlinuz', '');
  write('usr/lib/modules/6.11.0/modules.dep', '');
  write('boot/vmlinuz-6.11.0', '');
  write('usr/lib/modules/6.10.0/modules.dep', '');
};

test('modules deny --boot prints a note when it finds no supported boot loader', () => {
  const outcome = deny({ boot: true }, 'a');
  assert.deepEqual(outcome.bootLoaders, []);
  assert.match(outcome.notes.join(), /No supported boot loader/);
  assert.match(denyText(outcome, { boot: true }), /module_blacklist=a/);
  assert.doesNotMatch(denyText(outcome, { boot: true }), /add --boot/);
  assert.ok(!read(conf).includes('kernel command line'));
});

test('modules deny --boot names only modules that the kernel itself will refuse', () => {
  withGrub();
  deny({}, 'a');
  assert.match(
    denyText(deny({ boot: true }, 'b'), { boot: true }),
    /the kernel itself refuses: module_blacklist=b$/m,
  );
  assert.match(read(grubCfg), /module_blacklist=b"/);
});

test('modules deny undoes an earlier run that was killed, also at the boot loader', () => {
  withGrub();
  deny({ boot: true }, 'a');
  const before = tree();
  stage.answer = () => {
    throw new Error('killed');
  };
  assert.throws(() => deny({ boot: true }, 'b'), /killed/);
  assert.notDeepEqual(tree(), before);
  const journal = join(stage.root, 'var/lib/bulkhead/modules-deny.journal');
  assert.ok(existsSync(journal));
  stage.answer = () => '';
  stage.calls = [];
  deny({ boot: true }, 'a');
  assert.deepEqual(tree(), before);
  assert.deepEqual(stage.calls, ['update-grub']);
  assert.ok(!existsSync(journal));
});

describe('modules deny with GRUB', () => {
  test('deny --boot writes its own file in grub.d', () => {
    withGrub();
    const outcome = deny({ boot: true }, 'a');
    assert.deepEqual(outcome.bootLoaders, ['GRUB']);
    assert.match(read(grubCfg), /^GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX module_blacklist=a"$/m);
    assert.ok(!read(grubCfg).includes('DEFAULT'));
    assert.match(read(conf), /^# on the kernel command line: a$/m);
    assert.match(denyText(outcome), /From the next boot,/);
  });

  test('deny --boot repeats names that another GRUB file blacklists', () => {
    withGrub(
      '#module_blacklist=no\nGRUB_CMDLINE_LINUX_DEFAULT="quiet module_blacklist=x,$(sh),y"\n',
    );
    deny({ boot: true }, 'a');
    const parameter = 'module_blacklist=x,y,a';
    assert.ok(read(grubCfg).includes(`GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${parameter}"`));
    assert.ok(
      read(grubCfg).includes(
        `GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT ${parameter}"`,
      ),
    );
  });

  test('deny --boot writes a GRUB file that a shell evaluates correctly', () => {
    withGrub();
    deny({ boot: true }, 'a', 'b');
    const script = 'GRUB_CMDLINE_LINUX="ro"; . "$1"; printf %s "$GRUB_CMDLINE_LINUX"';
    const value = execFileSync('sh', ['-eu', '-c', script, 'sh', join(stage.root, grubCfg)], {
      encoding: 'utf8',
    });
    assert.equal(value, 'ro module_blacklist=a,b');
  });

  test('deny --boot restores all files when update-grub fails', () => {
    withGrub();
    deny({}, 'old');
    const before = tree();
    stage.answer = () => undefined;
    assert.match(
      refusal({ boot: true }, 'a'),
      /Cannot run "update-grub": it failed.*the files were restored/,
    );
    assert.deepEqual(tree(), before);
  });
});

describe('modules deny with systemd-boot', () => {
  test('deny --boot edits the options and installs every kernel that has an image', () => {
    withSystemdBoot('root=/dev/sda1 ro\n');
    const before = tree();
    deny({ boot: true }, 'a', 'b');
    assert.equal(read('etc/kernel/cmdline'), 'root=/dev/sda1 ro module_blacklist=a,b\n');
    assert.deepEqual(stage.calls, [
      'kernel-install add 6.11.0 /boot/vmlinuz-6.11.0',
      'kernel-install add 6.12.1 /usr/lib/modules/6.12.1/vmlinuz',
    ]);
    deny({ undo: true }, 'b', 'a');
    assert.deepEqual(tree(), before);
  });

  test('allow keeps a name that the administrator added', () => {
    withSystemdBoot('ro module_blacklist=x,a quiet');
    const before = tree();
    deny({ boot: true }, 'a', 'b');
    assert.equal(read('etc/kernel/cmdline'), 'ro module_blacklist=x,a,b quiet');
    deny({ undo: true }, 'a', 'b');
    assert.deepEqual(tree(), before);
  });

  test('deny --boot fails when /etc/kernel/cmdline does not exist', () => {
    withSystemdBoot('x');
    rmSync(join(stage.root, 'etc/kernel/cmdline'));
    const before = tree();
    assert.match(refusal({ boot: true }, 'a'), /cmdline": it does not exist; write the options/);
    assert.deepEqual(tree(), before);
  });

  test('editCommandLine() removes exactly what it added', () => {
    for (const text of [
      '',
      '\n',
      'ro',
      'ro quiet\n',
      'module_blacklist=x',
      'a module_blacklist=x  b\n',
    ]) {
      const added = editCommandLine(text, [], ['m']);
      assert.match(added, /(^|\s)module_blacklist=(x,)?m(\s|$)/);
      assert.equal(editCommandLine(added, ['m'], []), text);
    }
  });
});

describe('modules deny with grubby', () => {
  const withGrubby = (args: string) => {
    write('usr/sbin/grubby', '');
    withGrub();
    stage.answer = (command) => (command.includes('--info') ? `index=0\nargs="ro ${args}"\n` : '');
  };
  const changes = () => stage.calls.filter((each) => !each.includes('--info'));

  test('deny --boot runs grubby and writes no GRUB file', () => {
    withGrubby('quiet');
    deny({ boot: true }, 'a', 'b');
    assert.deepEqual(changes(), ['grubby --update-kernel=ALL --args=module_blacklist=a,b']);
    assert.ok(!existsSync(join(stage.root, grubCfg)));
  });

  test('allow restores the previous value', () => {
    withGrubby('module_blacklist=x');
    deny({ boot: true }, 'a');
    withGrubby('module_blacklist=x,a');
    deny({ undo: true }, 'a');
    withGrubby('quiet');
    deny({ boot: true }, 'b');
    withGrubby('module_blacklist=b');
    deny({ undo: true }, 'b');
    assert.deepEqual(changes(), [
      'grubby --update-kernel=ALL --remove-args=module_blacklist=x --args=module_blacklist=x,a',
      'grubby --update-kernel=ALL --remove-args=module_blacklist=x,a --args=module_blacklist=x',
      'grubby --update-kernel=ALL --args=module_blacklist=b',
      'grubby --update-kernel=ALL --remove-args=module_blacklist=b',
    ]);
  });

  test('deny --boot changes nothing when kernels have different values', () => {
    withGrubby('module_blacklist=x"\nargs="module_blacklist=y');
    assert.match(refusal({ boot: true }, 'a'), /different values/);
    assert.ok(!existsSync(join(stage.root, conf)));
  });
});
