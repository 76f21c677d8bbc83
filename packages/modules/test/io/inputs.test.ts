/** `collectInputs()` finds modules in files and directories, also in hostile ones. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { scratch, tree, hostOf, collected, lines } from './input-trees.ts';

test('collectInputs() yields the modules of a directory in name order', async () => {
  const root = tree({
    'kernel/z/b.ko.xz': 'b',
    'kernel/a/a.ko': 'a',
    'kernel/a.ko.zst': 'z',
    'updates/dkms/c.ko.gz': 'c',
    'modules.dep': '',
    'x.koo': '',
  });
  symlinkSync(root, join(root, 'build'));
  symlinkSync('.', join(root, 'kernel/loop'));
  const expected = [
    'kernel/a/a.ko: a',
    'kernel/a.ko.zst: z',
    'kernel/z/b.ko.xz: b',
    'updates/dkms/c.ko.gz: c',
  ];
  assert.deepEqual(lines(root, await collected([root])), expected);
  assert.deepEqual(lines(root, await collected([root])), expected);
});

test('collectInputs() accepts a file of any name, and reports missing paths', async () => {
  const root = tree({ renamed: 'ELF', 'sub/': '' });
  assert.deepEqual(
    lines(root, await collected([join(root, 'renamed'), join(root, 'gone'), join(root, 'sub')])),
    [
      'renamed: ELF',
      'gone! it does not exist',
      'sub! it holds no kernel module (*.ko, *.ko.xz, …) and no package',
    ],
  );
});

test(
  'collectInputs() does not hang on a fifo, a socket or a device',
  { timeout: patienceMilliseconds },
  async () => {
    const root = tree({ 'b.ko': 'b' });
    execFileSync('mkfifo', [join(root, 'a.ko'), join(root, 'other')]);
    assert.deepEqual(lines(root, await collected([root, join(root, 'other'), '/dev/zero'])), [
      'a.ko! it is not a regular file',
      'b.ko: b',
      'other! it is a named pipe, not a file',
      '/dev/zero! it is a device, not a file',
    ]);
  },
);

test('collectInputs() follows no symlink in a directory that others can write to', async () => {
  const root = tree({ 'real.bin': 'real', 'safe/': '', 'open/': '' });
  for (const directory of ['safe', 'open'])
    symlinkSync('../real.bin', join(root, directory, 'l.ko'));
  symlinkSync('nowhere', join(root, 'safe/m.ko'));
  symlinkSync('/dev/zero', join(root, 'safe/n.ko'));
  chmodSync(join(root, 'open'), 0o777);
  assert.deepEqual(lines(root, await collected([root])), [
    'open/l.ko! it is a link in a directory that others can write to, and is not followed',
    'safe/l.ko: real',
    'safe/m.ko! it is a link, and of its target: it does not exist',
    'safe/n.ko! it is a link to something that is not a regular file',
  ]);
});

test('collectInputs() limits depth, number of names and file size', async () => {
  const root = tree({ 'a.ko': 'aaaa', 'b.ko': 'bbbbbb', 'd/d/d/d/e.ko': 'e' });
  const host = hostOf('/nonexistent');
  const shallow = await collected([root], { ...host, directories: { depth: 3, names: 100 } });
  assert.match(lines(root, shallow).join('\n'), /d\/d\/d! it is more than 3 directories deep/);
  const few = await collected([root], { ...host, directories: { depth: 64, names: 2 } });
  assert.match(lines(root, few).at(-1) ?? '', /more than 2 names/);
  const small = await collected([join(root, 'b.ko')], { ...host, fileBytes: 5 });
  assert.deepEqual(lines(root, small), ['b.ko: it has 6 bytes; files of more than 5 are not read']);
});

test('collectInputs() reports a tree of 300 directories as too deep', async () => {
  const root = tree({});
  execFileSync('sh', ['-c', 'for i in $(seq 300); do mkdir d; cd d; done; : > x.ko'], {
    cwd: root,
  });
  assert.match(lines(root, await collected([root])).join(), /directories deep/);
});

test('collectInputs() reports a file that was replaced before it is read', async () => {
  const root = tree({ 'a.ko': 'a', other: 'secret' });
  const found = await collected([root]);
  renameSync(join(root, 'other'), join(root, 'a.ko'));
  assert.deepEqual(lines(root, found), ['a.ko: it was replaced while it was read']);
  rmSync(join(root, 'a.ko'));
  symlinkSync('/etc/passwd', join(root, 'a.ko'));
  assert.match(lines(root, found).join(), /symbolic link/);
});

const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
const canDrop =
  process.geteuid?.() === 0 && spawnSync('setpriv', [...asNobody, 'true']).status === 0;

test(
  'collectInputs() reports files that it may not read, and reads the rest',
  canDrop || process.geteuid?.() !== 0 ? {} : { skip: 'setpriv is needed to give up root' },
  () => {
    const root = tree({ 'a/x.ko': 'x', 'b.ko': 'b', 'c.ko': 'c' });
    for (const path of [scratch, root]) chmodSync(path, 0o755);
    chmodSync(join(root, 'a'), 0o000);
    chmodSync(join(root, 'b.ko'), 0o000);
    const script = `import { collectInputs } from ${JSON.stringify(join(import.meta.dirname, '../../io/inputs/inputs.ts'))};
      for await (const each of collectInputs([${JSON.stringify(root)}])) {
        const read = each.kind === 'module' ? each.read() : undefined;
        console.log(each.label ?? each.path, read === undefined ? each.why : read.ok ? 'read' : read.error.reason);
      }`;
    const node = [process.execPath, '--input-type=module-typescript', '-e', script];
    const [program = '', ...args] = canDrop ? ['setpriv', ...asNobody, ...node] : node;
    const run = spawnSync(program, args, { encoding: 'utf8' });
    chmodSync(join(root, 'a'), 0o700);
    assert.match(run.stdout, /\/a permission denied/, run.stderr);
    assert.match(run.stdout, /b\.ko .*permission denied/);
    assert.match(run.stdout, /c\.ko read/);
  },
);
