/** Files that are not modules, and modules with defects. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readModule } from '../../core/record/read-module.ts';
import { machines, sectionTypes } from '../../core/elf/elf-format.ts';
import {
  buildElf,
  buildModule,
  bytesOf,
  type ModuleSpec,
  type SectionSpec,
} from './elf-builder.ts';
import { alloc, execute, read, write } from './read-sample.ts';

const problemOf = (bytes: Uint8Array) => {
  const result = readModule('sample.ko', bytes);
  assert.ok(!result.ok);
  return result.error;
};

const defectsOf = (spec: ModuleSpec) =>
  read(spec).defects.map(({ step, errno, message }) => [step, errno, message]);

describe('readModule() of files that are not modules', () => {
  test('fails with the kind of problem and the reason', () => {
    assert.equal(problemOf(new Uint8Array()).kind, 'not elf');
    assert.equal(problemOf(bytesOf('#!/bin/sh\n')).kind, 'not elf');
    assert.equal(problemOf(buildElf({ sections: [{ name: '.text' }] })).kind, 'not a module');
    const cut = buildModule().subarray(0, 500);
    const problem = problemOf(cut);
    assert.equal(problem.kind, 'malformed');
    assert.equal(problem.file, 'sample.ko');
    assert.match(problem.message, /ends outside the file/);
  });

  test('refuses a section that claims 4 GiB', () => {
    const problem = problemOf(
      buildModule({ sections: [{ name: '.huge', data: new Uint8Array(8), size: 2 ** 32 }] }),
    );
    assert.equal(problem.kind, 'malformed');
    assert.match(problem.message, /4294967296 bytes/);
  });

  test('refuses symbols that share one long name', () => {
    const names = new Uint8Array(3_000).fill(65);
    const symbols = Array.from({ length: 5_000 }, () => ({ name: '', section: 999 }));
    const file = buildModule({ symbols });
    // Every symbol is given the same long name.
    const long = buildModule({ symbols, sections: [{ name: '.x', data: names }] });
    assert.ok(readModule('sample.ko', file).ok);
    const namesAt = long.findIndex((_, at) =>
      long.subarray(at, at + 100).every((byte) => byte === 65),
    );
    const view = new DataView(long.buffer);
    const table = Number(view.getBigUint64(40, true));
    const count = view.getUint16(60, true);
    for (let index = 0; index < count; index++) {
      const at = table + index * 64;
      if (view.getUint32(at + 4, true) !== sectionTypes.strtab || index === count - 1) continue;
      view.setBigUint64(at + 24, BigInt(namesAt), true);
      view.setBigUint64(at + 32, 3_000n, true);
    }
    assert.match(problemOf(long).message, /more text in names/);
  });
});

describe('readModule().defects', () => {
  const secondModinfo: SectionSpec = { name: '.modinfo', data: bytesOf('a=b\0') };

  test('is empty for a good module', () => {
    assert.deepEqual(defectsOf({ imports: ['a'], exports: [{ name: 'b' }] }), []);
  });

  test("contains the loader's checks with its messages", () => {
    const early = 'module sample: ';
    const struct = '.gnu.linkonce.this_module';
    assert.deepEqual(defectsOf({ type: 2 }), [
      ['elf header', 'ENOEXEC', 'Invalid ELF header type: 2 != 1'],
    ]);
    assert.deepEqual(defectsOf({ sections: [secondModinfo] }), [
      ['modinfo', 'ENOEXEC', 'Only one .modinfo section must exist.'],
    ]);
    assert.deepEqual(defectsOf({ structBytes: 0 }), [
      ['struct module', 'ENOEXEC', `${early}Exactly one ${struct} section must exist.`],
    ]);
    const withoutAlloc = { name: struct, flags: write, data: new Uint8Array(1280) };
    assert.deepEqual(defectsOf({ structBytes: 0, sections: [withoutAlloc] }), [
      ['struct module', 'ENOEXEC', `${early}${struct} must occupy memory during process execution`],
    ]);
    assert.deepEqual(defectsOf({ stripped: true }), [
      ['symbol table', 'ENOEXEC', 'sample: module has no symbols (stripped?)'],
    ]);
    const both: SectionSpec = { name: '.both', flags: alloc | write | execute };
    assert.deepEqual(defectsOf({ sections: [both] })[0]?.slice(0, 2), [
      'write and execute',
      'ENOEXEC',
    ]);
    const constructors = ['.ctors', '.init_array'].map((name) => ({ name, flags: alloc }));
    assert.deepEqual(defectsOf({ sections: constructors }), [
      ['constructors', 'EINVAL', 'sample: has both .ctors and .init_array.'],
    ]);
  });

  const relocated = (
    data: Uint8Array,
    type: number,
    offset: number,
    flags: number = alloc,
  ): ModuleSpec => ({
    imports: ['x'],
    sections: [{ name: '.data', flags, data, relocations: [{ offset, type, symbol: 'x' }] }],
  });

  test('contains relocations that the loader refuses', () => {
    const zero = new Uint8Array(16);
    const full = new Uint8Array(16).fill(1);
    assert.deepEqual(defectsOf(relocated(zero, 1, 8)), []);
    assert.deepEqual(defectsOf(relocated(full, 0, 8)), []);
    assert.deepEqual(defectsOf(relocated(full, 1, 8, 0)), []);
    assert.deepEqual(defectsOf(relocated(zero, 9, 0)), [
      ['relocations', 'ENOEXEC', 'module: sample: Unknown rela relocation: 9'],
    ]);
    assert.match(String(defectsOf(relocated(full, 2, 4))[0]?.[2]), /existing value is nonzero/);
    assert.match(read(relocated(zero, 1, 9)).defects[0]?.why ?? '', /outside ".data"/);
  });

  test('contains checks that only one architecture makes', () => {
    const s390 = buildModule({ machine: machines.s390, bigEndian: true });
    s390[4] = 1;
    const result = readModule('sample.ko', s390);
    assert.ok(result.ok);
    assert.equal(result.value.defects[0]?.message, 'Invalid architecture in ELF header: 22');
    assert.deepEqual(defectsOf({ machine: machines.ppc64 }), [
      ['elf header', 'ENOEXEC', 'Invalid module architecture in ELF header: 21'],
      ['processor', 'ENOEXEC', "sample: doesn't contain .stubs."],
    ]);
    const large = { name: '.bss', type: sectionTypes.nobits, flags: alloc, size: 2 ** 31 };
    assert.deepEqual(defectsOf({ sections: [large] }), [['memory', 'ENOMEM', undefined]]);
    assert.deepEqual(defectsOf({ sections: [large], machine: machines.arm64 }), []);
  });

  test('limits per-CPU relocations to the releases that apply them', () => {
    const data = new Uint8Array(16).fill(1);
    const relocations = [{ offset: 0, type: 1, symbol: 'x' }];
    const section = { name: '.data..percpu', flags: alloc, data, relocations };
    const { defects } = read({ imports: ['x'], sections: [section] });
    assert.deepEqual(
      defects.map(({ from, before }) => [from, before]),
      [
        [
          [6, 14],
          [6, 19],
        ],
        [[6, 19], undefined],
      ],
    );
  });

  test('contains no relocations of other machines', () => {
    const spec = relocated(new Uint8Array(16), 257, 0);
    assert.deepEqual(defectsOf({ ...spec, machine: machines.arm64 }), []);
  });
});
