/** `bulkhead modules upgrade` lists modules that another kernel would not load. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleModinfo, sampleVermagic } from '../../packages/modules/test/core/elf-builder.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { ModulesUpgradeJson } from '../../src/modules/commands/json.ts';
import {
  root,
  release,
  kernel,
  tree,
  put,
  symbolLine,
  crc,
  module,
  licensed,
  run,
  onKernel,
} from './modules-stage.ts';

test('bulkhead modules upgrade exits with 3 and lists modules that would no longer load', () => {
  const next = join(root, 'next');
  const newer = '6.13.0';
  put(
    join(next, `usr/src/linux-headers-${newer}/Module.symvers`),
    `0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n`,
  );
  put(join(next, `usr/src/linux-headers-${newer}/include/config/kernel.release`), `${newer}\n`);
  put(join(next, `boot/config-${newer}`), 'CONFIG_MODVERSIONS=y\n');
  put(
    join(next, `lib/modules/${newer}/kernel/other.ko`),
    module('other', {
      modinfo: [
        ...sampleModinfo('other').slice(0, 4),
        `vermagic=${sampleVermagic.replace(release, newer)}`,
      ],
    }),
  );
  const { stdout, status } = run('upgrade', ...onKernel, '--to', next, '--json');
  assert.equal(status, 3, stdout);
  const { noLongerLoad } = jsonOf<ModulesUpgradeJson>('modules upgrade', stdout);
  const lib = noLongerLoad.find((each) => each.file.endsWith('lib.ko'));
  assert.deepEqual(
    lib?.reasons.map((each) => each.cause),
    ['CRC'],
  );
});

test('bulkhead modules upgrade lists what a rebuild must change', () => {
  const next = join(root, 'next-major');
  const newer = '7.3.4';
  const headers = join(next, `usr/src/linux-headers-${newer}`);
  const rows = [
    'module_layout\tvmlinux\tEXPORT_SYMBOL\t',
    'kept\tvmlinux\tEXPORT_SYMBOL\t',
    'closed\tvmlinux\tEXPORT_SYMBOL_GPL\t',
    'moved\tvmlinux\tEXPORT_SYMBOL\tNEW_NS',
    'of_module\tdrivers/other\tEXPORT_SYMBOL\t',
  ];
  put(join(headers, 'Module.symvers'), rows.map((each) => `0x00000002\t${each}\n`).join(''));
  put(join(headers, 'include/config/kernel.release'), `${newer}\n`);
  put(join(next, `boot/config-${newer}`), 'CONFIG_MODVERSIONS=y\n');
  const names = ['kept', 'closed', 'moved', 'of_module', 'gone'];
  const now = join(root, 'now');
  put(
    join(now, `usr/src/linux-headers-${release}/Module.symvers`),
    ['module_layout', ...names].map((each) => symbolLine(each, 'EXPORT_SYMBOL')).join(''),
  );
  put(join(now, `usr/src/linux-headers-${release}/include/config/kernel.release`), `${release}\n`);
  put(join(now, `boot/config-${release}`), 'CONFIG_MODVERSIONS=y\n');
  put(join(now, `lib/modules/${release}/kernel/x.ko`), module('x', { imports: [] }));
  const imports = [...names.map((name) => ({ name, crc })), { name: 'optional', weak: true }];
  const closed = put(
    join(root, 'dkms/closed.ko'),
    module('closed', { imports, ...licensed('closed', 'Proprietary') }),
  );
  const open = put(join(root, 'dkms/open.ko'), module('open', { imports: imports.slice(0, 2) }));
  const upgrade = (...args: string[]) =>
    run('upgrade', closed, open, '--kernel', now, '--no-cache', '--to', next, ...args);
  const { stdout, status } = upgrade('--json');
  assert.equal(status, 3, stdout);
  const { noLongerLoad } = jsonOf<ModulesUpgradeJson>('modules upgrade', stdout);
  assert.deepEqual(Object.fromEntries(noLongerLoad.map(({ file, rebuild }) => [file, rebuild])), {
    [closed]: {
      removed: ['gone'],
      gplOnly: ['closed'],
      namespaces: [{ symbol: 'moved', namespace: 'NEW_NS' }],
      unknown: [],
    },
    [open]: { removed: [], gplOnly: [], namespaces: [], unknown: [] },
  });
  const text = upgrade().stdout.replaceAll(/\s+/g, ' ');
  assert.match(text, /Rebuild: no longer exported: gone;/);
  assert.match(text, /Rebuild: now GPL-only, which its license does not allow: closed /);
  assert.match(text, /\(MODULE_IMPORT_NS\): moved \(NEW_NS\)/);
  assert.match(text, /Rebuild: all symbols that it imports are available to it/);
  assert.match(text, /; 1 of them use symbols that are gone or closed there, even when rebuilt/);

  // The kernel's own exports do not show what its modules export.
  put(
    join(headers, 'Module.symvers'),
    rows
      .slice(0, -1)
      .map((each) => `0x00000002\t${each}\n`)
      .join(''),
  );
  const less = jsonOf<ModulesUpgradeJson>('modules upgrade', upgrade('--json').stdout);
  assert.deepEqual(less.noLongerLoad[0]?.rebuild.removed, []);
  assert.deepEqual(less.noLongerLoad[0]?.rebuild.unknown, ['of_module', 'gone']);
});

test('bulkhead modules upgrade exits with 1 when a file cannot be read', () => {
  const { stdout, stderr, status } = run(
    'upgrade',
    join(root, 'no.ko'),
    ...onKernel,
    '--to',
    kernel,
  );
  assert.equal(status, 1);
  assert.match(stderr, /no\.ko/);
  assert.doesNotMatch(stdout, /brings every module/);
});

test('bulkhead modules upgrade accepts files as modules, but only directories as kernels', () => {
  const file = join(tree, 'kernel/lib.ko');
  const { stdout, status } = run('upgrade', ...onKernel, '--to', kernel, file);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^Of 1 module, 0 would no longer load/);
  for (const directories of [[file], [kernel, '--to', file]]) {
    const refused = run('upgrade', ...onKernel, '--to', ...directories);
    assert.equal(refused.status, 1, refused.stdout);
    assert.match(refused.stderr, /Cannot read a kernel from ".*lib\.ko": it is not a directory/);
  }
});

test('bulkhead modules upgrade prints when the new kernel has every module itself', () => {
  const { stdout, status } = run('upgrade', ...onKernel, '--to', kernel);
  assert.equal(status, 0);
  assert.equal(stdout, `Linux ${release} itself has every module of this kernel\n`);
});
