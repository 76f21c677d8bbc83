import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { machines, sectionFlags, sectionTypes } from '../../core/elf/elf-format.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import type { Elf } from '../../core/elf/elf.ts';
import { SymbolTable } from '../../core/elf/symbol-table.ts';
import { buildElf, bytesOf, type ElfSpec } from './elf-builder.ts';

function elfOf(spec: ElfSpec): Elf {
  const result = readElf(buildElf(spec));
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

const messageOf = (bytes: Uint8Array): string => {
  const result = readElf(bytes);
  assert.ok(!result.ok);
  return result.error.message;
};

const sample = {
  sections: [
    {
      name: '.data',
      data: bytesOf('abcdefgh'),
      relocations: [{ offset: 4, type: 7, symbol: 'two', addend: -3 }],
    },
    { name: '.bss', type: sectionTypes.nobits, size: 2 ** 20 },
  ],
  symbols: [
    { name: 'one', section: '.data', value: 2, size: 6, binding: 0, type: 1 },
    { name: 'two', binding: 2 },
  ],
} satisfies ElfSpec;

describe('readElf()', () => {
  for (const bits of [32, 64] as const) {
    for (const bigEndian of [false, true]) {
      const label = `${bits} bit, ${bigEndian ? 'big' : 'little'} endian`;
      test(`reads sections, symbols and relocations: ${label}`, () => {
        const elf = elfOf({ ...sample, bits, bigEndian, machine: machines.arm });
        assert.equal(elf.bits, bits);
        assert.equal(elf.view.littleEndian, !bigEndian);
        assert.equal(elf.machine, machines.arm);
        const data = elf.section('.data')!;
        assert.deepEqual(elf.data(data), bytesOf('abcdefgh'));
        assert.equal(elf.section('.bss')?.size, 2 ** 20);
        assert.equal(elf.data(elf.section('.bss')!).length, 0);
        const table = elf.symbolTable!;
        const [one, two] = [...elf.symbols(table)];
        assert.deepEqual(one, {
          index: 1,
          name: 'one',
          value: 2,
          size: 6,
          binding: 0,
          type: 1,
          section: data.index,
        });
        assert.equal(two?.binding, 2);
        const relocations = elf.section(bits === 64 ? '.rela.data' : '.rel.data')!;
        assert.equal(relocations.info, data.index);
        assert.deepEqual(
          [...elf.relocations(relocations)],
          [{ offset: 4, type: 7, symbol: 2, addend: bits === 64 ? -3 : 0 }],
        );
      });

      test(`SymbolTable reads the same symbols by column: ${label}`, () => {
        const elf = elfOf({ ...sample, bits, bigEndian });
        const columns = new SymbolTable(elf, elf.symbolTable!);
        for (const each of elf.symbols(elf.symbolTable!)) {
          const { index } = each;
          assert.equal(columns.name(index), each.name);
          assert.equal(columns.value(index), each.value);
          assert.equal(columns.size(index), each.size);
          assert.equal(columns.section(index), each.section);
          assert.equal(columns.binding(index), each.binding);
          assert.equal(columns.type(index), each.type);
          assert.equal(columns.nameBegins(index, bytesOf(each.name.slice(0, 2))), true);
          assert.equal(columns.nameBegins(index, bytesOf('other')), false);
        }
      });
    }
  }

  test('section() returns the first section of a name, loadedSection() the loaded one', () => {
    const elf = elfOf({
      sections: [
        { name: 'x', data: bytesOf('1') },
        { name: 'x', data: bytesOf('2'), flags: sectionFlags.alloc },
      ],
    });
    assert.equal(elf.section('x')?.index, 1);
    assert.equal(elf.loadedSection('x')?.index, 2);
    assert.equal(elf.loadedSection('.strtab'), undefined);
  });

  test('fails with the reason when a header is damaged', () => {
    assert.match(messageOf(new Uint8Array(3)), /not an ELF/);
    const changed = (at: number, value: number) => {
      const bytes = buildElf(sample);
      bytes[at] = value;
      return bytes;
    };
    assert.match(messageOf(changed(4, 3)), /neither 32 nor 64/);
    assert.match(messageOf(changed(5, 0)), /byte order/);
    assert.match(messageOf(changed(58, 63)), /section headers of 63 bytes/);
    assert.match(messageOf(changed(61, 0xff)), /ends outside the file/);
    assert.match(messageOf(changed(62, 0xff)), /no section name table/);
    assert.match(messageOf(changed(46, 0xff)), /ends outside the file/);
    assert.match(messageOf(buildElf(sample).subarray(0, 40)), /in the middle of a value/);
  });

  test('refuses sections that end outside the file', () => {
    for (const lie of [{ size: 2 ** 32 }, { offset: 2 ** 40 }, { size: -1 }, { offset: -8 }]) {
      const bytes = buildElf({ sections: [{ name: '.data', data: bytesOf('x'), ...lie }] });
      assert.match(messageOf(bytes), /ends outside the file/);
    }
  });
});
