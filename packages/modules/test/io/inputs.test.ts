import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import {
  collectInputs,
  type Input,
  type InputOptions,
  type InputProblem,
} from '../../io/inputs/inputs.ts';
import { cpio, rpm, tar } from '../core/packages/builders.ts';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { formatCause } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const scratch = suiteDirectory('test-inputs');

let trees = 0;
/** Makes files and directories. A path that ends with a slash is a directory. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = join(scratch, `${trees++}`);
  mkdirSync(root);
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(name.endsWith('/') ? join(root, name) : dirname(join(root, name)), {
      recursive: true,
    });
    if (!name.endsWith('/')) writeFileSync(join(root, name), contents);
  }
  return root;
}

const hostOf = (root: string): InputOptions => ({
  places: {
    dpkg: join(root, 'var/lib/dpkg'),
    documents: join(root, 'usr/share/doc'),
    dkms: join(root, 'var/lib/dkms'),
    sources: join(root, 'usr/src'),
  },
});

async function collected(paths: readonly string[], options: InputOptions = hostOf('/nonexistent')) {
  const found: (Input | InputProblem)[] = [];
  for await (const each of collectInputs(paths, options)) found.push(each);
  return found;
}

const lines = (root: string, found: readonly (Input | InputProblem)[]) =>
  found.map((each) => {
    if (each.kind === 'problem') return `${each.path.replace(`${root}/`, '')}! ${each.why}`;
    const bytes = each.read();
    return `${each.label.replace(`${root}/`, '')}: ${bytes.ok ? Buffer.from(bytes.value).toString() : formatCause(bytes.error)}`;
  });

const moduleOf = (found: readonly (Input | InputProblem)[]): Input => {
  const module = found.find((each) => each.kind === 'module');
  assert.ok(module !== undefined, JSON.stringify(found));
  return module;
};

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

const format = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n';
const gpl3 = `${format}Files: *\nLicense: GPL-3+\n`;

test('collectInputs() finds the package of an installed module, and its license', async () => {
  const root = tree({
    'var/lib/dpkg/info/x-modules:amd64.list':
      '/.\n/usr/lib/modules\nROOT/lib/modules/1/extra/x.ko\n',
    'var/lib/dpkg/info/zz.list': '/bin/zz\n',
    'var/lib/dpkg/status':
      'Package: zz\nVersion: 9\n\nPackage: x-modules\nArchitecture: amd64\nVersion: 1-2\n\n',
    'usr/share/doc/x-modules/copyright': gpl3,
    'lib/modules/1/extra/x.ko': 'x',
    'lib/modules/1/extra/y.ko': 'y',
  });
  const list = join(root, 'var/lib/dpkg/info/x-modules:amd64.list');
  writeFileSync(list, `/.\n${root}/lib/modules/1/extra/x.ko\n`);
  const [x, y] = await collected([join(root, 'lib')], hostOf(root));
  assert.ok(x?.kind === 'module' && y?.kind === 'module');
  assert.deepEqual(x.origin.package, {
    name: 'x-modules',
    version: '1-2',
    architecture: 'amd64',
    source: 'x-modules',
    license: { kind: 'stated', licenses: ['GPL-3+'], more: false },
  });
  assert.equal(y.origin.package, undefined);
});

test("collectInputs() finds the source of DKMS modules, and the source's package", async () => {
  const conf = 'PACKAGE_NAME=evdi\nPACKAGE_VERSION=1.2\nBUILT_MODULE_NAME[0]="$PACKAGE_NAME"\n';
  const root = tree({
    'var/lib/dkms/evdi/1.2/6.1-amd64/x86_64/module/evdi.ko.xz': 'built',
    'usr/src/evdi-1.2/dkms.conf': conf,
    'usr/src/none-3/dkms.conf': 'PACKAGE_NAME=none\nPACKAGE_VERSION=3\n',
    'lib/modules/6.1-amd64/updates/dkms/evdi.ko.xz': 'built',
    'lib/modules/6.1-amd64/kernel/evdi.ko': 'other',
    'var/lib/dpkg/info/evdi-dkms.list': '',
  });
  symlinkSync(join(root, 'usr/src/evdi-1.2'), join(root, 'var/lib/dkms/evdi/1.2/source'));
  writeFileSync(
    join(root, 'var/lib/dpkg/info/evdi-dkms.list'),
    `${root}/usr/src/evdi-1.2/dkms.conf\n`,
  );
  const paths = ['var/lib/dkms', 'usr/src/evdi-1.2', 'lib/modules/6.1-amd64/updates'];
  for (const path of paths) {
    const { origin, read } = moduleOf(await collected([join(root, path)], hostOf(root)));
    assert.deepEqual(
      [origin.dkms?.name, origin.dkms?.version, origin.dkms?.kernel],
      ['evdi', '1.2', '6.1-amd64'],
      path,
    );
    assert.deepEqual(origin.dkms?.conf?.modules, [{ name: 'evdi', location: '' }]);
    assert.equal(origin.package?.name, 'evdi-dkms');
    assert.ok(read().ok);
  }
  const intree = moduleOf(
    await collected([join(root, 'lib/modules/6.1-amd64/kernel')], hostOf(root)),
  );
  assert.equal(intree.origin.dkms, undefined);
  const unbuilt = lines(root, await collected([join(root, 'usr/src/none-3')], hostOf(root)));
  assert.deepEqual(unbuilt, [
    'usr/src/none-3! it is the source of none, which is not built for any kernel; run: dkms install none/3',
  ]);
});

const canBuildDeb = spawnSync('dpkg-deb', ['--version']).status === 0;

test(
  'collectInputs() reads packages and tarballs, and the license that packages state',
  canBuildDeb ? {} : { skip: 'dpkg-deb is not installed' },
  async () => {
    const control =
      'Package: kmod-x\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: x\n';
    const root = tree({
      'deb/DEBIAN/control': control,
      'deb/lib/modules/1/a.ko': 'a',
      'deb/usr/share/doc/kmod-x/copyright': gpl3,
      'dkms/DEBIAN/control': control,
      'dkms/usr/src/x-1/dkms.conf': 'PACKAGE_NAME=x\n',
      'out/broken.deb': 'no package',
    });
    for (const name of ['deb', 'dkms']) {
      execFileSync(
        'dpkg-deb',
        ['--root-owner-group', '-b', join(root, name), join(root, 'out', `${name}.deb`)],
        { stdio: 'ignore' },
      );
    }
    const tags = { 1000: 'kmod-y', 1001: '1', 1002: '2', 1014: 'GPLv2', 1022: 'x86_64' };
    writeFileSync(join(root, 'out/y.rpm'), rpm(tags, cpio({ name: './lib/y.ko', contents: 'y' })));
    writeFileSync(join(root, 'z.tar'), tar({ name: 'v/z.ko', contents: 'z' }));
    const found = await collected([
      join(root, 'out'),
      join(root, 'z.tar'),
      join(root, 'out/dkms.deb'),
    ]);
    assert.deepEqual(lines(root, found), [
      'out/broken.deb! it is not a package, whatever its name',
      'out/deb.deb!/lib/modules/1/a.ko: a',
      'out/y.rpm!/lib/y.ko: y',
      'z.tar!/v/z.ko: z',
      'out/dkms.deb! it holds no kernel module but the source of one for DKMS, in usr/src/x-1',
    ]);
    const [deb, y, z] = found.filter((each) => each.kind === 'module');
    assert.equal(deb?.origin.package?.name, 'kmod-x');
    assert.equal(deb?.origin.package?.license?.kind, 'stated');
    assert.deepEqual(y?.origin.package?.license, {
      kind: 'stated',
      licenses: ['GPLv2'],
      more: false,
    });
    assert.equal(z?.origin.package, undefined);
  },
);

test('collectInputs() finds the DKMS source by content when module names collide', async () => {
  const conf = (name: string) => `PACKAGE_NAME=${name}\nPACKAGE_VERSION=1\n`;
  const root = tree({
    'var/lib/dkms/dahdi/1/6.1/x86_64/module/dahdi.ko': 'of dahdi',
    'var/lib/dkms/osmocom/1/6.1/x86_64/module/dahdi.ko': 'of osmocom',
    'usr/src/dahdi-1/dkms.conf': conf('dahdi'),
    'usr/src/osmocom-1/dkms.conf': conf('osmocom'),
    'lib/modules/6.1/updates/dkms/dahdi.ko': 'of dahdi',
  });
  const installed = join(root, 'lib/modules/6.1/updates/dkms/dahdi.ko');
  const origin = async () => moduleOf(await collected([installed], hostOf(root))).origin.dkms?.name;
  assert.equal(await origin(), 'dahdi');
  writeFileSync(installed, 'of osmocom');
  assert.equal(await origin(), 'osmocom');
  writeFileSync(installed, 'of nobody');
  assert.equal(await origin(), undefined);
});
