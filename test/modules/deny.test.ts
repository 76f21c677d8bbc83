/** `modules deny` over the files of a host that the tests make. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { Command } from 'commander';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { command, denyText } from '../../src/modules/commands/deny/deny.ts';
import { editCommandLine } from '../../packages/modules/core/modprobe/blacklist-parameter.ts';
import { moduleNames } from '../../packages/modules/core/modprobe/deny-file.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { undoModules } from '../../src/modules/commands/undo.ts';
import type { BootHost } from '../../src/modules/io/deny/boot-loaders.ts';
import {
  deniedModules,
  denyModules,
  thisHost,
  type DenyOptions,
} from '../../src/modules/io/deny/deny.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const conf = 'etc/modprobe.d/bulkhead.conf';
const grubCfg = 'etc/default/grub.d/bulkhead.cfg';

let root = '';
let calls: string[] = [];
let answer: (command: string) => string | undefined = () => '';

beforeEach((t) => {
  root = testDirectory(t, 'modules-deny');
  calls = [];
  answer = () => '';
  write('proc/modules', '');
  write('proc/cmdline', 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n');
});

const host = (): BootHost => ({
  root,
  call(command) {
    const line = command.join(' ');
    calls.push(line);
    const text = answer(line);
    return text === undefined
      ? failed({ action: 'run', object: line, reason: 'it failed with status 1: no room' })
      : ok(text);
  },
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Reads every file with its text, to check that nothing is left behind. */
function tree(): ReadonlyMap<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
  return new Map(files.sort().map((each) => [each, readFileSync(each, 'utf8')]));
}

function deny(options: DenyOptions, ...names: string[]) {
  const outcome = denyModules(names, options, host());
  assert.ok(outcome.ok, outcome.ok ? '' : formatProblem(outcome.error));
  return outcome.value;
}

function refusal(options: DenyOptions, ...names: string[]): string {
  const outcome = denyModules(names, options, host());
  assert.ok(!outcome.ok, 'it was done');
  return formatProblem(outcome.error);
}

const withGrub = (settings = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n') => {
  write('usr/sbin/update-grub', '');
  write('etc/default/grub', settings);
};
const withSystemdBoot = (options: string) => {
  write('usr/bin/kernel-install', '');
  write('boot/efi/loader/loader.conf', 'timeout 3\n');
  write('etc/kernel/cmdline', options);
  write('usr/lib/modules/6.12.1/vmlinuz', '');
  write('usr/lib/modules/6.11.0/modules.dep', '');
  write('boot/vmlinuz-6.11.0', '');
  write('usr/lib/modules/6.10.0/modules.dep', '');
};

test('modules deny writes modprobe.d and prints the parameter that also blocks insmod', () => {
  const outcome = deny({}, 'pcspkr', 'snd_pcsp');
  assert.match(read(conf), /^blacklist pcspkr\ninstall pcspkr \/bin\/false$/m);
  assert.match(read(conf), /^install snd_pcsp \/bin\/false$/m);
  assert.equal(statSync(join(root, conf)).mode & 0o777, 0o644);
  assert.equal(outcome.kernelParameter, 'module_blacklist=pcspkr,snd_pcsp');
  assert.match(denyText(outcome), /insmod still can[^]*module_blacklist=pcspkr,snd_pcsp/);
  assert.deepEqual(calls, []);
});

test('modules deny adds to denied modules, and prints when nothing changes', () => {
  deny({}, 'a');
  const both = deny({}, 'b');
  assert.equal(both.kernelParameter, 'module_blacklist=a,b');
  const again = deny({}, 'a', 'b');
  assert.deepEqual(again.files, []);
  assert.match(denyText(again), /^Nothing to change$/m);
});

test('deniedModules() lists only names from the block, so that allow can remove them all', () => {
  assert.deepEqual(deniedModules(host()), ok([]));
  write(conf, 'blacklist of-somebody-else\n');
  assert.deepEqual(deniedModules(host()), ok([]));
  deny({}, 'a', 'snd_pcsp');
  const names = ['a', 'snd_pcsp'];
  assert.deepEqual(deniedModules(host()), ok(names));
  deny({ undo: true }, ...names);
  assert.equal(read(conf), 'blacklist of-somebody-else\n');
});

const denials = (instance = 'bulkhead') =>
  undoModules(pathsOf(instance), host()).filter(({ what }) => what === 'the denied kernel modules');

test('undoModules() has a step for denied modules, of the host and not of a second instance', () => {
  assert.deepEqual(denials(), []);
  deny({}, 'a', 'b');
  assert.deepEqual(
    denials().map(({ command: words }) => words),
    [['modules', 'allow', 'a', 'b']],
  );
  assert.deepEqual(denials('second'), []);
});

test('undoModules() has a step that says what to do where the file is damaged', async () => {
  deny({}, 'a');
  const damaged = (read(conf) ?? '').replace(/^# <<< .*\n/m, '');
  write(conf, damaged);
  const told = async () => {
    const [step, ...more] = denials();
    assert.deepEqual(more, []);
    assert.equal(step?.command, undefined);
    return (await step?.run?.())?.map(formatProblem).join('\n');
  };
  assert.match((await told()) ?? '', /^Cannot use ".*bulkhead\.conf": .*; repair or remove it$/);
  assert.equal(read(conf), damaged);
  rmSync(join(root, conf));
  symlinkSync('/dev/null', join(root, conf));
  assert.match((await told()) ?? '', /bulkhead\.conf": .*; repair or remove it$/);
});

test('modules deny repeats names of the kernel command line, as the last parameter wins', () => {
  write('proc/cmdline', 'ro module_blacklist=x,y quiet\n');
  assert.equal(deny({}, 'a').kernelParameter, 'module_blacklist=x,y,a');
});

test('modules deny --dry-run changes nothing and prints what it would do', () => {
  withGrub();
  const before = tree();
  const outcome = deny({ dryRun: true, boot: true }, 'a');
  assert.deepEqual(tree(), before);
  assert.deepEqual(calls, []);
  assert.deepEqual(
    outcome.files.map(({ path }) => path),
    [join(root, conf), join(root, grubCfg)],
  );
  assert.match(denyText(outcome), /^Would run update-grub$/m);
});

test('modules deny prints that a module is loaded, and what uses it', () => {
  write(
    'proc/modules',
    'nf_tables 385024 3 nft_compat,nft_ct, Live 0x0\nlonely 1 0 - Live 0x0\nother 1 0 - Live 0x0\n',
  );
  const outcome = deny({}, 'nf_tables', 'lonely');
  assert.deepEqual(outcome.loaded, [
    { name: 'nf_tables', references: 3, users: ['nft_compat', 'nft_ct'] },
    { name: 'lonely', references: 0, users: [] },
  ]);
  assert.match(denyText(outcome), /nf_tables is loaded and in use by nft_compat, nft_ct/);
  assert.match(denyText(outcome), /modprobe -r lonely/);
});

test('modules deny prints how to update the initrd when update-initramfs exists', () => {
  write('usr/sbin/update-initramfs', '');
  assert.match(denyText(deny({}, 'a')), /update-initramfs -u/);
  assert.deepEqual(deny({}, 'a').notes, []);
});

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
  answer = () => {
    throw new Error('killed');
  };
  assert.throws(() => deny({ boot: true }, 'b'), /killed/);
  assert.notDeepEqual(tree(), before);
  const journal = join(root, 'var/lib/bulkhead/modules-deny.journal');
  assert.ok(existsSync(journal));
  answer = () => '';
  calls = [];
  deny({ boot: true }, 'a');
  assert.deepEqual(tree(), before);
  assert.deepEqual(calls, ['update-grub']);
  assert.ok(!existsSync(journal));
});

describe('modules allow', () => {
  test('allow removes a file that did not exist before deny', () => {
    const before = tree();
    deny({}, 'a', 'b');
    deny({ undo: true }, 'a');
    assert.doesNotMatch(read(conf), / a$/m);
    deny({ undo: true }, 'b');
    assert.deepEqual(tree(), before);
  });

  test('allow restores all other lines byte for byte', () => {
    write(conf, 'options kvm nested=1\n\n# without newline');
    const before = tree();
    deny({}, 'a');
    assert.match(read(conf), /options kvm nested=1/);
    deny({ undo: true }, 'a');
    assert.deepEqual(tree(), before);
  });

  test('allow changes nothing when the module is not denied', () => {
    const before = tree();
    assert.match(denyText(deny({ undo: true }, 'a')), /^Nothing to change$/m);
    assert.deepEqual(tree(), before);
  });

  test('allow removes what --boot installed, without --boot', () => {
    withGrub();
    const before = tree();
    deny({ boot: true }, 'a', 'b');
    deny({ undo: true }, 'a');
    assert.match(read(grubCfg), /module_blacklist=b"/);
    deny({ undo: true }, 'b');
    assert.deepEqual(tree(), before);
    assert.deepEqual(calls, ['update-grub', 'update-grub', 'update-grub']);
  });
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
    const value = execFileSync('sh', ['-eu', '-c', script, 'sh', join(root, grubCfg)], {
      encoding: 'utf8',
    });
    assert.equal(value, 'ro module_blacklist=a,b');
  });

  test('deny --boot restores all files when update-grub fails', () => {
    withGrub();
    deny({}, 'old');
    const before = tree();
    answer = () => undefined;
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
    assert.deepEqual(calls, [
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
    rmSync(join(root, 'etc/kernel/cmdline'));
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
    answer = (command) => (command.includes('--info') ? `index=0\nargs="ro ${args}"\n` : '');
  };
  const changes = () => calls.filter((each) => !each.includes('--info'));

  test('deny --boot runs grubby and writes no GRUB file', () => {
    withGrubby('quiet');
    deny({ boot: true }, 'a', 'b');
    assert.deepEqual(changes(), ['grubby --update-kernel=ALL --args=module_blacklist=a,b']);
    assert.ok(!existsSync(join(root, grubCfg)));
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
    assert.ok(!existsSync(join(root, conf)));
  });
});

describe('modules deny with hostile files and names', () => {
  test('moduleNames() accepts names and file names, and refuses special characters', () => {
    const names = moduleNames(['snd-pcsp', 'snd_pcsp', 'lve.ko.xz']);
    assert.deepEqual(names, ok(['snd_pcsp', 'lve']));
    for (const word of ['a b', '$(id)', 'a,b', '../../x', 'a\nb', '', 'x'.repeat(56)]) {
      const refused = moduleNames([word]);
      assert.ok(!refused.ok, word);
      // oxlint-disable-next-line no-control-regex -- none of them may reach a terminal
      assert.doesNotMatch(formatProblem(refused.error), /[\u0000-\u001f]/);
    }
  });

  test('deny follows no symbolic link', () => {
    write('victim', 'precious');
    mkdirSync(join(root, 'etc/modprobe.d'), { recursive: true });
    symlinkSync(join(root, 'victim'), join(root, conf));
    assert.match(refusal({}, 'a'), /symbolic link/);
    assert.equal(read('victim'), 'precious');
  });

  test('deny fails when its file is a directory or has a damaged block', () => {
    mkdirSync(join(root, conf), { recursive: true });
    assert.match(refusal({}, 'a'), /it is a directory, not a file/);
    rmSync(join(root, conf), { recursive: true });
    write(conf, '# >>> bulkhead modules deny (lines outside this block are kept)\n');
    assert.match(refusal({}, 'a'), /has a block without/);
  });
});

test('thisHost.call() runs programs and returns why one failed', () => {
  assert.deepEqual(thisHost.call(['printf', '%s', 'a b']), ok('a b'));
  assert.deepEqual(
    thisHost.call(['sh', '-c', 'echo no room >&2; exit 3']),
    failed({
      action: 'run',
      object: 'sh -c echo no room >&2; exit 3',
      reason: 'it failed with status 3: no room',
    }),
  );
  const missing = thisHost.call(['bulkhead-no-such-program']);
  assert.match(
    missing.ok ? '' : formatProblem(missing.error),
    /^Cannot run "bulkhead-no-such-program": ENOENT/,
  );
});

test('command.define() gives the command its options', () => {
  const deny = new Command('deny');
  command.define(deny, (action) => async (...args) => {
    await action(...args);
  });
  for (const option of ['--boot', '--dry-run', '--json'])
    assert.ok(deny.helpInformation().includes(option), option);
});
