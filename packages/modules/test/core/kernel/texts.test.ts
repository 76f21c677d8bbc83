/** The texts a kernel is known by: Module.symvers, kallsyms, the configuration, the command line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseCmdline } from '../../../core/kernel/cmdline.ts';
import {
  configuredMachine,
  embeddedConfig,
  parseKernelConfig,
} from '../../../core/kernel/config.ts';
import { parseKallsyms } from '../../../core/kernel/kallsyms.ts';
import { parseSymvers } from '../../../core/kernel/symvers.ts';

test('parseSymvers() reads four and five columns, and the column order of Linux 5.4', () => {
  const text = [
    '0x00000010\tmemcpy\tvmlinux\tEXPORT_SYMBOL\t',
    '0xffffffff\tusb_x\tdrivers/usb/core\tEXPORT_SYMBOL_GPL\tUSB',
    '0x00000011\told\tvmlinux\tEXPORT_SYMBOL_GPL',
    '0x00000012\tmiddle\tNS\tvmlinux\tEXPORT_SYMBOL',
    '',
  ].join('\n');
  const { exports, problems } = parseSymvers(text);
  assert.deepEqual(problems, []);
  assert.deepEqual(exports, [
    { name: 'memcpy', gplOnly: false, namespace: undefined, crc: 0x10, provider: 'vmlinux' },
    {
      name: 'usb_x',
      gplOnly: true,
      namespace: 'USB',
      crc: 0xffffffff,
      provider: 'drivers/usb/core',
    },
    { name: 'old', gplOnly: true, namespace: undefined, crc: 0x11, provider: 'vmlinux' },
    { name: 'middle', gplOnly: false, namespace: 'NS', crc: 0x12, provider: 'vmlinux' },
  ]);
});

test('parseSymvers() leaves out malformed lines and numbers them', () => {
  const { exports, problems } = parseSymvers(
    [
      '0x1\ta\tvmlinux\tEXPORT_SYMBOL\t',
      '0x1\ta',
      'zzz\tb\tvmlinux\tEXPORT_SYMBOL\t',
      '0x1\tc\tvmlinux\tconstructor\t',
      '0x1\t\tvmlinux\tEXPORT_SYMBOL\t',
    ].join('\n'),
  );
  assert.equal(exports.length, 1);
  assert.deepEqual(problems, [
    { line: 2, message: 'has 2 columns where 4 or 5 are expected' },
    { line: 3, message: 'has "zzz" where a CRC is expected' },
    { line: 4, message: 'has "constructor" where the kind of export is expected' },
    { line: 5, message: 'names no symbol' },
  ]);
  assert.equal(parseSymvers('x\n'.repeat(5000)).problems.length, 100);
});

test('parseSymvers() returns no CRCs when all of them are zero', () => {
  const line = (name: string, crc: string) => `${crc}\t${name}\tvmlinux\tEXPORT_SYMBOL\t\n`;
  const without = parseSymvers(line('a', '0x00000000') + line('b', '0x00000000'));
  assert.deepEqual(
    without.exports.map((each) => each.crc),
    [undefined, undefined],
  );
  const one = parseSymvers(line('a', '0x00000000') + line('b', '0x00000001'));
  assert.deepEqual(
    one.exports.map((each) => each.crc),
    [0, 1],
  );
});

const kallsyms = [
  'ffffffff82000000 R __start___ksymtab',
  'ffffffff82000000 r __ksymtab_memcpy',
  'ffffffff8200000c r __ksymtab_vfs_read',
  'ffffffff82000018 R __stop___ksymtab',
  'ffffffff82000018 R __start___ksymtab_gpl',
  'ffffffff82000018 r __ksymtab_synchronize_rcu',
  'ffffffff82000024 R __stop___ksymtab_gpl',
  'ffffffff82000030 T vfs_read',
  'ffffffffc0000000 r __ksymtab_of_a_module\t[veth]',
].join('\n');

test("parseKallsyms() finds GPL-only exports by the table bounds, without modules' exports", () => {
  const parsed = parseKallsyms(kallsyms);
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.value.map((each) => [each.name, each.gplOnly]),
    [
      ['memcpy', false],
      ['vfs_read', false],
      ['synchronize_rcu', true],
    ],
  );
});

test('parseKallsyms() fails when addresses are hidden or table bounds are missing', () => {
  assert.deepEqual(parseKallsyms(kallsyms.replaceAll(/^[0-9a-f]+/gm, '0000000000000000')), {
    ok: false,
    error: {
      reason: 'its addresses are hidden',
      hint: 'run this as root, with kernel.kptr_restrict below 2',
      errno: 'EPERM',
    },
  });
  assert.ok(!parseKallsyms('').ok);
  assert.ok(!parseKallsyms(kallsyms.replaceAll('ksymtab_gpl', 'other')).ok);
});

test('parseKernelConfig() reads set and unset options, and the older CONFIG_RETPOLINE', () => {
  const config = parseKernelConfig(
    'CONFIG_MODVERSIONS=y\n# CONFIG_LIVEPATCH is not set\nCONFIG_RETPOLINE=y\nCONFIG_MODULE_SIG_FORCE=n\nCONFIG_MODULE_SIG_HASH="sha256"\n',
  );
  assert.deepEqual(config, {
    modversions: true,
    forceLoad: false,
    signatures: false,
    signaturesForced: false,
    livepatch: false,
    allowMissingNamespaces: false,
    strictModuleRwx: false,
    constructors: false,
    retpoline: true,
  });
  assert.equal(parseKernelConfig('hello\n'), undefined);
  assert.equal(configuredMachine('CONFIG_ARM64=y\n# CONFIG_X86_64 is not set\n'), 183);
  assert.equal(configuredMachine('CONFIG_ARM64=m\n'), undefined);
});

test('embeddedConfig() finds the configuration in an image, but not markers alone', () => {
  const packed = gzipSync('CONFIG_MODVERSIONS=y\n');
  const image = Buffer.concat([
    Buffer.from('code IKCFG_ST code IKCFG_ED '),
    Buffer.from('IKCFG_ST'),
    packed,
    Buffer.from('IKCFG_ED'),
  ]);
  assert.deepEqual(embeddedConfig(image), packed);
  assert.equal(embeddedConfig(image.subarray(0, image.length - 2)), undefined);
});

test("parseCmdline() reads the loader's settings up to the double dash", () => {
  assert.deepEqual(
    parseCmdline('quiet module_blacklist=a,b module.sig-enforce lockdown=integrity dyndbg="x y"'),
    {
      blacklist: ['a', 'b'],
      enforceSignatures: true,
      lockdown: 'integrity',
      spectreV2Mitigated: true,
    },
  );
  assert.deepEqual(
    parseCmdline('module_blacklist=a module_blacklist=c mitigations=off -- lockdown=integrity'),
    {
      blacklist: ['c'],
      enforceSignatures: false,
      lockdown: 'none',
      spectreV2Mitigated: false,
    },
  );
});
