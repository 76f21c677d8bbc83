/** The common part of tests of `bulkhead modules`: a small kernel of our own, and the command on it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ScanReport } from '../../packages/modules/core/reports/report.ts';
import {
  buildModule,
  sampleModinfo,
  type ModuleSpec,
} from '../../packages/modules/test/core/elf-builder.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { jsonOf } from '../../testing/json-output.ts';

const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
export const root = suiteDirectory('modules');

export const release = '6.12.118';
export const kernel = join(root, 'kernel');
export const tree = join(kernel, 'lib/modules', release);

export function put(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export const symbolLine = (name: string, kind: string, by = 'vmlinux') =>
  `0x00000001\t${name}\t${by}\t${kind}\t\n`;
put(
  join(kernel, `usr/src/linux-headers-${release}/Module.symvers`),
  `0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n${symbolLine('printk', 'EXPORT_SYMBOL')}${symbolLine('rcu', 'EXPORT_SYMBOL_GPL')}`,
);
put(join(kernel, `usr/src/linux-headers-${release}/include/config/kernel.release`), `${release}\n`);
put(
  join(kernel, `boot/config-${release}`),
  'CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\nCONFIG_MODULE_FORCE_LOAD=y\n',
);

export const crc = 1;
export const module = (name: string, spec: ModuleSpec = {}) =>
  buildModule({ name, layoutCrc: crc, imports: [{ name: 'printk', crc }], ...spec });
export const licensed = (name: string, license: string) => ({
  modinfo: [`license=${license}`, ...sampleModinfo(name).slice(1)],
});

put(
  join(tree, 'kernel/lib.ko'),
  module('lib', { exports: [{ name: 'lib_do', gplOnly: true, crc }] }),
);
put(
  join(tree, 'kernel/user.ko.gz'),
  gzipSync(
    module('user', {
      imports: [
        { name: 'lib_do', crc },
        { name: 'rcu', crc },
      ],
    }),
  ),
);

export function run(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(bulkhead, ['modules', ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: root, XDG_CACHE_HOME: join(root, 'cache') },
    maxBuffer: 64 * 2 ** 20,
  });
  assert.doesNotMatch(stderr, /^\s+at /m, stderr);
  return { stdout, stderr, status };
}

export const onKernel = ['--kernel', kernel, '--no-cache'];
export const scan = (...args: string[]) => run('scan', ...onKernel, ...args);
export const reportOf = (stdout: string) => jsonOf<ScanReport>('modules scan', stdout);
