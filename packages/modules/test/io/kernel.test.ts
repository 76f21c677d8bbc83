import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { readKernel } from '../../io/kernel/read-kernel.ts';
import { bzImage, elfFile, exportSections } from '../core/kernel/elf-file.ts';
import { makeIdentity, noOpenssl } from './certificates.ts';
import { formatProblem } from '../../../base/problem.ts';
import { temporaryDirectory } from '../../../../testing/temporary-directory.ts';

type Tree = Readonly<Record<string, string | Uint8Array>>;

function inTree(files: Tree, run: (root: string) => void) {
  using scratch = temporaryDirectory('kernel');
  const root = scratch.path;
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  run(root);
}

const release = '6.12.1-test';
const vermagic = `${release} SMP preempt mod_unload modversions `;
const certificate = noOpenssl === false ? makeIdentity('/CN=Build key', 'ec').der : undefined;
const rodata = Buffer.concat([
  Buffer.from(`\0Linux version ${release} (x)\0${vermagic}\0`),
  certificate ?? Buffer.alloc(0),
]);
const vmlinux = elfFile([
  { name: '.rodata', bytes: rodata, flags: 2 },
  ...exportSections([{ name: 'memcpy', crc: 1 }], [{ name: 'synchronize_rcu', crc: 2 }]),
]);
const module = (changes: { vermagic?: string; structBytes?: number } = {}) =>
  elfFile(
    [
      {
        name: '.modinfo',
        bytes: Buffer.from(`license=GPL\0vermagic=${changes.vermagic ?? vermagic}\0`),
      },
      { name: '.gnu.linkonce.this_module', bytes: Buffer.alloc(changes.structBytes ?? 1280) },
    ],
    1,
  );
const config = 'CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\n';
const symvers =
  '0x00000009\tmemcpy\tvmlinux\tEXPORT_SYMBOL\t\n0x00000008\tx\tdrivers/x\tEXPORT_SYMBOL_GPL\t\nbroken\n';

const image: Tree = {
  [`boot/vmlinuz-${release}`]: bzImage(zstdCompressSync(vmlinux), release),
  [`boot/config-${release}`]: config,
  [`usr/lib/modules/${release}/kernel/a/one.ko.zst`]: zstdCompressSync(module()),
  [`usr/lib/modules/${release}/kernel/b/two.ko`]: module(),
};

function placeIn(root: string, directories: readonly string[] | undefined, cmdline?: string) {
  const at = (path: string) => join(root, path);
  const roots = {
    proc: at('proc'),
    sys: at('sys'),
    modules: at('usr/lib/modules'),
    boot: at('boot'),
    sources: at('usr/src'),
  };
  return { directories: directories?.map((directory) => at(directory)), cmdline, roots };
}

test('readKernel() reads an unpacked image package, whole or by its module directory', () => {
  inTree(image, (root) => {
    for (const directory of ['.', `usr/lib/modules/${release}`]) {
      const read = readKernel(placeIn(root, [directory], 'module_blacklist=floppy'));
      assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
      const { kernel, certificates, gaps, origins } = read.value;
      assert.deepEqual(
        [kernel.release, kernel.machine, kernel.structBytes, kernel.vermagic],
        [release, 62, 1280, vermagic],
      );
      assert.equal(kernel.exports.get('synchronize_rcu')?.gplOnly, true);
      assert.equal(kernel.exports.get('memcpy')?.crc, 1);
      assert.equal(kernel.config.forceLoad, false);
      assert.deepEqual(kernel.settings.blacklist, ['floppy']);
      assert.equal(origins.exports, join(root, `boot/vmlinuz-${release}`));
      assert.deepEqual(
        certificates.map((der) => Buffer.from(der)),
        certificate === undefined ? [] : [Buffer.from(certificate)],
      );
      // Views would keep the whole image in memory, once a thread.
      for (const der of certificates) assert.equal(der.buffer.byteLength, der.length);
      assert.deepEqual(gaps, []);
      assert.equal(read.value.moduleDirectory, join(root, `usr/lib/modules/${release}`));
    }
  });
});

test('readKernel() prefers Module.symvers to the image, and reports malformed lines', () => {
  const headers = {
    [`usr/src/linux-headers-${release}/Module.symvers`]: symvers,
    [`usr/src/linux-headers-${release}/include/config/kernel.release`]: `${release}\n`,
  };
  inTree({ ...image, ...headers }, (root) => {
    const read = readKernel(placeIn(root, ['.'], ''));
    assert.ok(read.ok);
    assert.equal(read.value.kernel.exports.get('memcpy')?.crc, 9);
    assert.equal(read.value.kernel.exports.size, 1);
    assert.deepEqual(
      read.value.moduleExports.map((each) => each.name),
      ['x'],
    );
    assert.ok(read.value.gaps.some((gap) => gap.startsWith('Left out line 3 of')));
  });
  const other = {
    [`usr/src/linux-headers-${release}/Module.symvers`]: symvers,
    [`usr/src/linux-headers-${release}/include/config/kernel.release`]: '6.12.2\n',
  };
  inTree({ ...image, ...other }, (root) => {
    const read = readKernel(placeIn(root, [`usr/lib/modules/${release}`], ''));
    assert.ok(read.ok);
    assert.equal(read.value.kernel.exports.get('memcpy')?.crc, 1, 'headers of another release');
  });
});

test('readKernel() takes the release from UTS_RELEASE, not from kernel.release', () => {
  const headers = {
    [`usr/src/linux-headers-${release}/Module.symvers`]: symvers,
    [`usr/src/linux-headers-${release}/include/config/kernel.release`]: '6.12.1\n',
    [`usr/src/linux-headers-${release}/include/generated/utsrelease.h`]: `#define UTS_RELEASE "${release}"\n`,
  };
  inTree({ ...image, ...headers }, (root) => {
    for (const directory of ['.', `usr/lib/modules/${release}`]) {
      const read = readKernel(placeIn(root, [directory], ''));
      assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
      assert.equal(read.value.kernel.release, release);
      assert.equal(read.value.kernel.exports.get('memcpy')?.crc, 9);
    }
  });
});

test('readKernel() reads names of built-in code from /sys/module and modules.builtin', () => {
  const files = {
    ...running,
    'proc/kallsyms': kallsyms,
    'sys/module/printk/parameters/time': 'Y\n',
    'sys/module/loaded/initstate': 'live\n',
    [`usr/lib/modules/${release}/modules.builtin`]: 'kernel/drivers/char/virtio-console.ko\n',
  };
  inTree(files, (root) => {
    const read = readKernel(placeIn(root, undefined));
    assert.ok(read.ok);
    const { present, possible } = read.value.kernel.builtins ?? {};
    assert.deepEqual([...(present ?? [])].sort(), ['module', 'printk']);
    assert.deepEqual([...(possible ?? [])], ['virtio_console']);
  });
});

test('readKernel() lists as gaps what a headers directory does not contain', () => {
  const files = {
    'h/Module.symvers': symvers,
    'h/include/config/kernel.release': release,
    'h/.config': config,
  };
  inTree(files, (root) => {
    const read = readKernel(placeIn(root, ['h'], ''));
    assert.ok(read.ok);
    assert.equal(read.value.kernel.structBytes, undefined);
    assert.equal(read.value.kernel.vermagic, undefined);
    assert.equal(read.value.origins.config, join(root, 'h/.config'));
    const logged = read.value.gaps.join('\n');
    for (const word of ['vermagic', 'struct module', 'architecture', 'keys'])
      assert.match(logged, new RegExp(word));
  });
});

test('readKernel() ignores modules that disagree, and an image of another release', () => {
  const mixed = {
    ...image,
    [`usr/lib/modules/${release}/kernel/c/three.ko`]: module({ structBytes: 1344 }),
    [`boot/vmlinux-${release}`]: elfFile([
      { name: '.rodata', bytes: Buffer.from('Linux version 6.1.0 (x)\0') },
    ]),
  };
  inTree(mixed, (root) => {
    const read = readKernel(placeIn(root, ['.'], ''));
    assert.ok(read.ok);
    assert.equal(read.value.kernel.structBytes, undefined);
    assert.match(read.value.gaps.join('\n'), /do not agree with each other/);
    assert.match(read.value.gaps.join('\n'), /it is of release "6.1.0", not "6.12.1-test"/);
  });
});

const running: Tree = {
  'proc/sys/kernel/osrelease': `${release}\n`,
  'proc/sys/kernel/modules_disabled': '1\n',
  'proc/cmdline': 'quiet module_blacklist=pcspkr\n',
  'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
  'sys/module/module/parameters/sig_enforce': 'Y\n',
  'sys/devices/system/cpu/vulnerabilities/spectre_v2': 'Vulnerable\n',
};
const kallsyms = [
  'ffffffff82000000 R __start___ksymtab',
  'ffffffff82000000 r __ksymtab_memcpy',
  'ffffffff8200000c R __stop___ksymtab',
  'ffffffff8200000c R __start___ksymtab_gpl',
  'ffffffff8200000c r __ksymtab_synchronize_rcu',
  'ffffffff82000018 R __stop___ksymtab_gpl',
  '',
].join('\n');

test("readKernel() ignores this host's settings for a kernel that does not run here", () => {
  const host = { ...image, 'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' };
  const lockdownOf = (running: string, asBootedHere?: boolean) => {
    let found: readonly [string, string | undefined] | undefined;
    inTree({ ...host, 'proc/sys/kernel/osrelease': `${running}\n` }, (root) => {
      const read = readKernel({ ...placeIn(root, ['.']), asBootedHere });
      assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
      found = [read.value.kernel.settings.lockdown, read.value.origins.settings];
    });
    return found;
  };
  const here = 'the current settings of this host';
  const nowhere = 'an empty command line, since it does not run here';
  assert.deepEqual(lockdownOf('6.1.0-other'), ['none', nowhere]);
  assert.deepEqual(lockdownOf('6.1.0-other', true), ['integrity', here]);
  assert.deepEqual(lockdownOf(release), ['integrity', here]);
});

test('readKernel() reads settings, /proc/config.gz and kallsyms of the running kernel', () => {
  inTree({ ...running, 'proc/kallsyms': kallsyms, 'proc/config.gz': gzipSync(config) }, (root) => {
    const read = readKernel(placeIn(root, undefined));
    assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
    assert.deepEqual(read.value.kernel.settings, {
      blacklist: ['pcspkr'],
      enforceSignatures: true,
      lockdown: 'integrity',
      modulesDisabled: true,
      spectreV2Mitigated: false,
    });
    assert.equal(read.value.kernel.exports.get('synchronize_rcu')?.gplOnly, true);
    assert.equal(read.value.origins.exports, join(root, 'proc/kallsyms'));
    assert.equal(read.value.origins.config, join(root, 'proc/config.gz'));
    assert.match(read.value.gaps.join('\n'), /neither CRCs nor namespaces/);
  });
});

test('readKernel() reports a gap when it assumes the configuration', () => {
  inTree({ ...running, 'proc/kallsyms': kallsyms }, (root) => {
    const read = readKernel(placeIn(root, undefined));
    assert.ok(read.ok);
    assert.equal(read.value.origins.config, undefined);
    assert.match(read.value.gaps.join('\n'), /that of a Debian kernel is assumed/);
  });
});

test('readKernel() reports what to install when it finds no exports', () => {
  const hidden = kallsyms.replaceAll(/^[0-9a-f]+/gm, '0000000000000000');
  inTree({ ...running, 'proc/kallsyms': hidden }, (root) => {
    const read = readKernel(placeIn(root, undefined));
    assert.ok(read.ok);
    assert.equal(read.value.kernel.exports.size, 0);
    const [gap = ''] = read.value.gaps;
    assert.match(gap, /^Cannot find the exports of kernel "6.12.1-test": /);
    assert.match(gap, /its addresses are hidden; run this as root/);
    assert.match(gap, /install the package "linux-headers-6.12.1-test"/);
  });
  inTree({ [`lib/modules/${release}/modules.order`]: '' }, (root) => {
    const read = readKernel(placeIn(root, ['.']));
    const [gap = ''] = read.ok ? read.value.gaps : [];
    assert.ok(gap.includes('no Module.symvers and no kernel image'));
    assert.ok(!gap.includes('as root'));
  });
});

test('readKernel() fails when a directory has several kernels, or none', () => {
  inTree({ ...image, 'boot/vmlinuz-6.1.0': 'x' }, (root) => {
    const read = readKernel(placeIn(root, ['.']));
    assert.ok(
      !read.ok && read.error.reason.includes('there are "6.12.1-test", "6.1.0"'),
      read.ok ? '' : formatProblem(read.error),
    );
  });
  inTree({ 'empty/file': '' }, (root) => {
    assert.ok(!readKernel(placeIn(root, ['empty'])).ok);
    assert.ok(!readKernel(placeIn(root, ['missing'])).ok);
  });
});
