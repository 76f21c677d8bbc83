import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { compareModules, type Comparison } from '../../core/compare/compare.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import { sectionFlags, sectionTypes, symbolTypes } from '../../core/elf/elf-format.ts';
import type { Elf } from '../../core/elf/elf.ts';
import { buildElf, type ElfSpec, type SectionSpec } from './elf-builder.ts';

const code = sectionFlags.alloc | sectionFlags.execute;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Changes {
  readonly text?: string;
  readonly called?: string;
  readonly calledAt?: number;
  readonly modinfo?: string;
  readonly comment?: string;
  readonly flags?: number;
  readonly bss?: number;
  readonly more?: readonly SectionSpec[];
}

/** Returns two functions of eight bytes, the second of which calls another module's function. */
function specOf(changes: Changes): ElfSpec {
  const called = changes.called ?? 'printk';
  return {
    sections: [
      {
        name: '.text',
        flags: changes.flags ?? code,
        data: bytes(changes.text ?? 'first...second..'),
        relocations: [{ offset: changes.calledAt ?? 12, type: 4, symbol: called, addend: -4 }],
      },
      { name: '.bss', type: sectionTypes.nobits, flags: 3, size: changes.bss ?? 64 },
      { name: '.modinfo', flags: 2, data: bytes(changes.modinfo ?? 'license=GPL\0intree=Y\0') },
      { name: '.comment', data: bytes(changes.comment ?? 'GCC') },
      ...(changes.more ?? []),
    ],
    symbols: [
      { name: 'first', section: '.text', value: 0, size: 8, type: symbolTypes.function },
      { name: 'second', section: '.text', value: 8, size: 8, type: symbolTypes.function },
      { name: called },
    ],
  };
}

function elfOf(changes: Changes = {}): Elf {
  const elf = readElf(buildElf(specOf(changes)));
  assert.ok(elf.ok);
  return elf.value;
}

function compared(changes: Changes): Comparison {
  const result = compareModules(elfOf(), elfOf(changes));
  assert.ok(result.ok);
  return result.value;
}

suite('compareModules()', () => {
  test('finds a module equal to itself, and counts what it compared', () => {
    const result = compared({});
    assert.equal(result.same, true);
    assert.deepEqual(result.differences, []);
    assert.equal(result.compared.relocations, 1);
    assert.ok(result.compared.bytes >= 16);
    assert.ok(result.ignored.includes('.comment'));
  });

  test('names the section, the offset and the function of a changed byte', () => {
    const result = compared({ text: 'first...sec0nd..' });
    assert.equal(result.same, false);
    const [difference] = result.differences;
    assert.equal(result.differences.length, 1);
    assert.equal(difference?.kind, 'bytes');
    assert.equal(difference?.section, '.text');
    assert.equal(difference?.offset, 11);
    assert.equal(difference?.symbol, 'second');
    assert.deepEqual(result.changed, ['second']);
  });

  test('finds a call to another function although the bytes are equal', () => {
    const result = compared({ called: 'panic' });
    const [difference] = result.differences;
    assert.equal(difference?.kind, 'target');
    assert.equal(difference?.offset, 12);
    assert.equal(difference?.symbol, 'second');
    assert.match(difference?.message ?? '', /printk .* in the first, panic .* in the second/);
    assert.deepEqual(result.changed, ['second']);
  });

  test('reports both offsets when only the place of a call differs', () => {
    const [difference] = compared({ calledAt: 9 }).differences;
    assert.match(
      difference?.message ?? '',
      /printk - 4 \(type 4\) in both, at offset 12 in the first and 9 in the second$/,
    );
  });

  test('finds different sizes, also of sections without bytes', () => {
    assert.equal(compared({ bss: 65 }).differences[0]?.kind, 'size');
    const longer = compared({ text: 'first...second..third' });
    assert.equal(longer.differences[0]?.offset, 16);
  });

  test('finds sections with different flags', () => {
    const result = compared({ flags: code | sectionFlags.write });
    assert.deepEqual(
      result.differences.map(({ kind }) => kind),
      ['kind'],
    );
  });

  test('finds sections that only one has, also a second one of the same name', () => {
    const extra = compared({ more: [{ name: '.init.data', data: bytes('x') }] });
    assert.equal(extra.differences[0]?.kind, 'only in the second');
    const second = compared({ more: [{ name: '.text', flags: code, data: bytes('evil') }] });
    assert.deepEqual(
      second.differences.map(({ kind, section }) => [kind, section]),
      [['only in the second', '.text']],
    );
    const swapped = compareModules(elfOf({ more: [{ name: '.x', data: bytes('x') }] }), elfOf());
    assert.ok(swapped.ok);
    assert.equal(swapped.value.differences[0]?.kind, 'only in the first');
  });

  test('compares .modinfo separately, without entries that depend on the build', () => {
    const result = compared({ modinfo: 'license=Proprietary\0vermagic=6.1\0' });
    assert.equal(result.same, true);
    assert.deepEqual(result.modinfo, [
      { entry: 'license=GPL', onlyIn: 'the first' },
      { entry: 'license=Proprietary', onlyIn: 'the second' },
    ]);
  });

  test('ignores the compiler, debug data and versions', () => {
    const more = ['.debug_info', '.BTF', '.note.gnu.build-id', '__versions'];
    const result = compared({
      comment: 'GCC elsewhere',
      more: more.map((name) => ({ name, data: bytes('other') })),
    });
    assert.equal(result.same, true);
  });

  test('lists at most 50 differences, and counts the rest', () => {
    const more = Array.from({ length: 200 }, (_, n) => ({ name: `.x${n}`, data: bytes('x') }));
    const result = compared({ more });
    assert.equal(result.differences.length, 50);
    assert.equal(result.furtherDifferences, 150);
  });

  test('refuses sections that overlap, which would take quadratic time', () => {
    const sections = Array.from({ length: 100 }, (_, n) => ({
      name: `.x${n}`,
      data: new Uint8Array(n === 0 ? 10_000 : 0),
      ...(n === 0 ? {} : { offset: 64, size: 10_000 }),
    }));
    const result = compareModules(elfOf(), elfOf({ more: sections }));
    assert.equal(result.ok, false);
    assert.match(result.ok ? '' : result.error.message, /overlap/);
  });

  test('fails with an offset, and never throws, when any one byte changes', () => {
    const whole = buildElf(specOf({}));
    let read = 0;
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      const elf = readElf(changed);
      if (!elf.ok) continue;
      read++;
      const result = compareModules(elfOf(), elf.value);
      if (!result.ok) assert.equal(typeof result.error.offset, 'number');
    }
    assert.ok(read > 0);
  });
});
