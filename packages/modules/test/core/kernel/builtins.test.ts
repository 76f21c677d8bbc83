import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readElf } from '../../../core/elf/read-elf.ts';
import { readBuiltinNames } from '../../../core/kernel/builtins.ts';
import { elfFile, type SectionText } from './elf-file.ts';

const texts = Buffer.from('\0printk.time\0printk.secret\0quiet\0usbcore\0loop.max\0');
const textsAddress = 0xffffffff82000000n;
const addressOf = (text: string) => textsAddress + BigInt(texts.indexOf(`\0${text}\0`) + 1);

/** `struct kernel_param`: the name, two pointers, the mode in sysfs, the argument. */
function parameter(name: string, mode = 0o444): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeBigUInt64LE(addressOf(name), 0);
  bytes.writeUInt16LE(mode, 24);
  return bytes;
}

/** `struct module_version_attribute`: an attribute of 56 bytes, the name, the version. */
function version(name: string): Buffer {
  const bytes = Buffer.alloc(72);
  bytes.writeBigUInt64LE(addressOf(name), 56);
  return bytes;
}

function namesOf(parameters: Uint8Array, ...more: readonly SectionText[]) {
  const elf = readElf(
    elfFile([
      { name: '.rodata', bytes: texts, address: textsAddress, flags: 2 },
      { name: '__param', bytes: parameters, address: 0xffffffff82100000n, flags: 2 },
      ...more,
    ]),
  );
  assert.ok(elf.ok);
  return readBuiltinNames(elf.value);
}

test('readBuiltinNames() returns names that have parameters or a version in /sys/module', () => {
  const parameters = [
    parameter('printk.time'),
    parameter('quiet'),
    parameter('loop.max', 0),
    parameter('printk.secret'),
  ];
  const versions = { name: '__modver', bytes: version('usbcore'), address: 0xffffffff82200000n };
  assert.deepEqual(namesOf(Buffer.concat(parameters), { ...versions, flags: 2 }), [
    'printk',
    'kernel',
    'usbcore',
  ]);
});

test('readBuiltinNames() returns undefined for an image without the names', () => {
  const nowhere = parameter('quiet');
  nowhere.writeBigUInt64LE(0n, 0);
  assert.equal(namesOf(nowhere), undefined);
  assert.equal(namesOf(Buffer.alloc(41)), undefined);
  const none = readElf(elfFile([]));
  assert.ok(none.ok);
  assert.equal(readBuiltinNames(none.value), undefined);
});
