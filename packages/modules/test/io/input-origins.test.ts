/** `collectInputs()` finds the package, the license and the DKMS source of a module. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Input, InputProblem } from '../../io/inputs/inputs.ts';
import { cpio, rpm, tar } from '../core/packages/builders.ts';
import { tree, hostOf, collected, lines } from './input-trees.ts';

const moduleOf = (found: readonly (Input | InputProblem)[]): Input => {
  const module = found.find((each) => each.kind === 'module');
  assert.ok(module !== undefined, JSON.stringify(found));
  return module;
};

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
