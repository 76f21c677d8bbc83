/** `modules deny` writes and undoes files of a host that the tests make. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { command, denyText } from '../../src/modules/commands/deny/deny.ts';
import { moduleNames } from '../../packages/modules/core/modprobe/deny-file.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { undoModules } from '../../src/modules/commands/undo.ts';
import { thisHost } from '../../src/host/boot/boot-host.ts';
import { deniedModules } from '../../src/modules/io/deny/deny.ts';
import {
  conf,
  grubCfg,
  stage,
  useHost,
  host,
  write,
  read,
  tree,
  deny,
  refusal,
  withGrub,
} from './deny-stage.ts';

useHost();

test('modules deny writes modprobe.d and prints the parameter that also blocks insmod', () => {
  const outcome = deny({}, 'pcspkr', 'snd_pcsp');
  assert.match(read(conf), /^blacklist pcspkr\ninstall pcspkr \/bin\/false$/m);
  assert.match(read(conf), /^install snd_pcsp \/bin\/false$/m);
  assert.equal(statSync(join(stage.root, conf)).mode & 0o777, 0o644);
  assert.equal(outcome.kernelParameter, 'module_blacklist=pcspkr,snd_pcsp');
  assert.match(denyText(outcome), /insmod still can[^]*module_blacklist=pcspkr,snd_pcsp/);
  assert.deepEqual(stage.calls, []);
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
  rmSync(join(stage.root, conf));
  symlinkSync('/dev/null', join(stage.root, conf));
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
  assert.deepEqual(stage.calls, []);
  assert.deepEqual(
    outcome.files.map(({ path }) => path),
    [join(stage.root, conf), join(stage.root, grubCfg)],
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
    assert.deepEqual(stage.calls, ['update-grub', 'update-grub', 'update-grub']);
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
    mkdirSync(join(stage.root, 'etc/modprobe.d'), { recursive: true });
    symlinkSync(join(stage.root, 'victim'), join(stage.root, conf));
    assert.match(refusal({}, 'a'), /symbolic link/);
    assert.equal(read('victim'), 'precious');
  });

  test('deny fails when its file is a directory or has a damaged block', () => {
    mkdirSync(join(stage.root, conf), { recursive: true });
    assert.match(refusal({}, 'a'), /it is a directory, not a file/);
    rmSync(join(stage.root, conf), { recursive: true });
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
