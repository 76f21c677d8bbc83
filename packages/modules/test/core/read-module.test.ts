/** `readModule()` reads what every module says, in each width and byte order. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { importsOf, modinfo } from '../../core/record/module.ts';
import { readModule } from '../../core/record/read-module.ts';
import { machines, sectionTypes } from '../../core/elf/elf-format.ts';
import { appendSignature, buildModule, bytesOf } from './elf-builder.ts';
import { alloc, read } from './read-sample.ts';

const flavours = [
  { bits: 64, bigEndian: false, machine: machines.x8664 },
  { bits: 64, bigEndian: false, machine: machines.arm64 },
  { bits: 64, bigEndian: true, machine: machines.s390 },
  { bits: 32, bigEndian: false, machine: machines.arm },
  { bits: 32, bigEndian: true, machine: machines.arm },
] as const;

/**
 * Returns the offset of the header of the section whose contents begin there, in a 64-bit,
 * little-endian file.
 */
function sectionHeaderOf(bytes: Uint8Array, start: number): number {
  const file = Buffer.from(bytes);
  const table = Number(file.readBigUInt64LE(40));
  const count = file.readUInt16LE(60);
  const headers = Array.from({ length: count }, (_, index) => table + index * 64);
  return headers.find((at) => Number(file.readBigUInt64LE(at + 24)) === start)!;
}

describe('readModule()', () => {
  for (const flavour of flavours) {
    const { bits, bigEndian, machine } = flavour;
    const label = `${bits} bit, ${bigEndian ? 'big' : 'little'} endian, machine ${machine}`;
    test(`reads all parts of a module: ${label}`, () => {
      const module = read({
        ...flavour,
        imports: [
          { name: '_printk', crc: 0xf000_0001 },
          { name: 'optional', weak: true },
        ],
        exports: [
          { name: 'plain', crc: 0xaaaa_aaaa },
          { name: 'limited', gplOnly: true, namespace: 'NET', crc: 2 },
        ],
      });
      assert.equal(module.bits, bits);
      assert.equal(module.bigEndian, bigEndian);
      assert.equal(module.machine, machine);
      assert.equal(module.structName, 'sample');
      assert.equal(module.structBytes, 1280);
      assert.equal(module.structExtraBytes, 0);
      assert.equal(modinfo(module, 'license'), 'GPL');
      assert.equal(module.hasVersions, true);
      assert.equal(module.layoutCrc, 0x1234);
      assert.deepEqual(module.symbols, [
        { kind: 'import', name: '_printk', weak: false, crc: 0xf000_0001 },
        { kind: 'import', name: 'optional', weak: true, crc: undefined },
      ]);
      assert.deepEqual(module.exports, [
        { name: 'plain', gplOnly: false, namespace: undefined, crc: 0xaaaa_aaaa },
        { name: 'limited', gplOnly: true, namespace: 'NET', crc: 2 },
      ]);
      assert.deepEqual(module.defects, []);
      assert.equal(module.signature, undefined);
    });
  }

  test('keeps every modinfo string, and modinfo() returns the first of a tag', () => {
    const module = read({
      modinfo: ['license=GPL\0for files in the directory', '', '', 'license=Proprietary', 'a=b=c'],
    });
    assert.deepEqual(module.modinfo, [
      { tag: 'license', value: 'GPL' },
      { tag: '', value: 'for files in the directory' },
      { tag: 'license', value: 'Proprietary' },
      { tag: 'a', value: 'b=c' },
    ]);
    assert.equal(modinfo(module, 'license'), 'GPL');
  });

  test('reads a string that is not UTF-8 as Latin-1, and its neighbors as UTF-8', () => {
    const name = bytesOf('author=J\xfcrgen\0description=M\xc3\xbcll\0');
    const module = read({ modinfo: false, sections: [{ name: '.modinfo', data: name }] });
    assert.equal(modinfo(module, 'author'), 'J\xfcrgen');
    assert.equal(modinfo(module, 'description'), 'M\u00fcll');
  });

  test('counts bytes in struct module that the build does not write', () => {
    const module = read({
      spoilStruct: (bytes) => {
        bytes[0] = 3;
        bytes[1000] = 1;
        bytes[24 + 10] = 65;
      },
    });
    assert.equal(module.structName, 'sample');
    assert.equal(module.structExtraBytes, 3);
  });

  test('ignores a __versions section without the alloc flag', () => {
    const module = read({ versionsFlags: 0, imports: [{ name: 'x', crc: 1 }] });
    assert.equal(module.hasVersions, false);
    assert.equal(module.layoutCrc, undefined);
    assert.equal(importsOf(module)[0]?.crc, undefined);
  });

  test('finds the CRC of a long name in the extended table', () => {
    const name = 'n'.repeat(80);
    const module = read({ versions: 'extended', imports: [{ name, crc: 77 }] });
    assert.equal(importsOf(module)[0]?.crc, undefined);
    assert.equal(importsOf(module)[0]?.extendedCrc, 77);
    assert.equal(module.layoutCrc, 0x1234);
    assert.deepEqual(module.extendedVersions, { layoutCrc: 0x1234 });
  });

  test('takes width and byte order from the machine, not from the header', () => {
    for (const [at, value] of [
      [4, 1],
      [4, 0],
      [5, 2],
      [5, 0],
    ] as const) {
      const bytes = buildModule({ imports: ['x'] });
      bytes[at] = value;
      const result = readModule('sample.ko', bytes);
      assert.ok(result.ok, `${at} ${value}`);
      assert.equal(result.value.bits, 64);
      assert.deepEqual(
        importsOf(result.value).map((each) => each.name),
        ['x'],
      );
      assert.match(result.value.observations.readOtherwise?.[0] ?? '', /reads it as 64 bits/);
    }
    assert.deepEqual(read({}).observations.readOtherwise, []);
  });

  test('reads the last .modinfo string to its NUL, even past the end of the section', () => {
    const bytes = buildModule({ modinfo: ['name=sample', 'license=GPL'] });
    const text = Buffer.from(bytes).indexOf('license=GPL');
    const sizeAt = sectionHeaderOf(bytes, Buffer.from(bytes).indexOf('name=sample')) + 32;
    const size = Buffer.from(bytes).readUInt32LE(sizeAt);
    Buffer.from(bytes.buffer).writeUInt32LE(size - 3, sizeAt);
    const result = readModule('sample.ko', bytes);
    assert.ok(result.ok && text > 0);
    assert.equal(modinfo(result.value, 'license'), 'GPL');
    assert.deepEqual(result.value.observations.readOtherwise, [
      'Its last string in ".modinfo" does not end where the section does: tools read "license=G", the kernel reads "license=GPL"',
    ]);
  });

  test('reads sections of the type NULL by name', () => {
    const bytes = buildModule({ modinfo: ['name=sample', 'license=Proprietary'] });
    const at = sectionHeaderOf(bytes, Buffer.from(bytes).indexOf('name=sample'));
    Buffer.from(bytes.buffer).writeUInt32LE(sectionTypes.null, at + 4);
    const result = readModule('sample.ko', bytes);
    assert.ok(result.ok);
    assert.equal(modinfo(result.value, 'license'), 'Proprietary');
    assert.match(result.value.observations.readOtherwise?.[0] ?? '', /".modinfo" is marked/);
  });

  test('strips the dot from PowerPC names, and skips .TOC.', () => {
    const module = read({
      machine: machines.ppc64,
      bigEndian: true,
      imports: ['.TOC.', { name: '.kfree', crc: 5 }],
    });
    assert.deepEqual(module.symbols, [{ kind: 'import', name: 'kfree', weak: false, crc: 5 }]);
  });

  test('uses the first CRC when the version table lists a name twice', () => {
    const module = read({
      imports: [
        { name: 'twice', crc: 1 },
        { name: 'twice', crc: 2 },
      ],
    });
    assert.deepEqual(
      importsOf(module).map((each) => each.crc),
      [1, 1],
    );
  });

  test('reads exports of the layout with a table of flags', () => {
    const module = read({
      exportLayout: 'flags',
      exports: [
        { name: 'one', gplOnly: true, crc: 1 },
        { name: 'two', crc: 2, namespace: 'module:kvm' },
      ],
    });
    assert.deepEqual(module.exports, [
      { name: 'one', gplOnly: true, namespace: undefined, crc: 1 },
      { name: 'two', gplOnly: false, namespace: 'module:kvm', crc: 2 },
    ]);
  });

  test('reports when exports have no CRCs', () => {
    const module = read({ exportCrcs: false, exports: [{ name: 'one' }] });
    assert.equal(module.exportsLackCrcs, true);
    assert.equal(module.exports[0]?.crc, undefined);
    assert.equal(read({}).exportsLackCrcs, false);
  });

  test('names exports by their relocations, not by __ksymtab_ labels', () => {
    const strings = bytesOf('real\0\0');
    const module = read({
      sections: [
        { name: '__ksymtab_strings', flags: alloc, data: strings },
        {
          name: '__ksymtab',
          flags: alloc,
          data: new Uint8Array(12),
          relocations: [
            { offset: 0, type: 2, symbol: 'real' },
            { offset: 4, type: 2, symbol: 'texts' },
            { offset: 8, type: 2, symbol: 'texts', addend: 5 },
          ],
        },
      ],
      symbols: [
        { name: 'texts', section: '__ksymtab_strings', binding: 0 },
        { name: '__ksymtab_pretended', section: '__ksymtab', binding: 0 },
        { name: 'real', section: '.text', type: 2 },
      ],
    });
    assert.deepEqual(
      module.exports.map((each) => each.name),
      ['real'],
    );
  });

  test('falls back to labels where exports have no relocations', () => {
    const module = read({
      sections: [
        { name: '__ksymtab_strings', flags: alloc, data: bytesOf('one\0NS\0') },
        { name: '__ksymtab_gpl', flags: alloc, data: new Uint8Array(12) },
      ],
      symbols: [
        { name: '__kstrtabns_one', section: '__ksymtab_strings', value: 4, binding: 0 },
        { name: '__ksymtab_one', section: '__ksymtab_gpl', binding: 0 },
      ],
    });
    assert.deepEqual(module.exports, [
      { name: 'one', gplOnly: true, namespace: 'NS', crc: undefined },
    ]);
  });

  test('lists imports, common symbols and bad sections in symbol table order', () => {
    const module = read({
      imports: ['first'],
      symbols: [
        { name: 'shared', section: 0xfff2 },
        { name: '__gnu_lto_slim', section: 0xfff2 },
        { name: 'absolute', section: 0xfff1 },
        { name: 'lost', section: 999 },
        { name: '.klp.sym.vmlinux.synchronize_rcu,0', section: 0xff20 },
        { name: 'last', binding: 2 },
      ],
    });
    assert.deepEqual(
      module.symbols.map((each) => `${each.kind} ${each.name}`),
      ['import first', 'common shared', 'bad section lost', 'import last'],
    );
    assert.deepEqual(module.observations.livepatchSymbols, ['vmlinux.synchronize_rcu']);
  });
});

test('readModule() does not change its input', () => {
  const file = appendSignature(buildModule(), new Uint8Array(100));
  const before = file.slice();
  readModule('sample.ko', Buffer.from(file.buffer), { deep: true });
  assert.deepEqual(file, before);
});
