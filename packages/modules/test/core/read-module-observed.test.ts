/** `readModule()` observes contents that a module need not have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sectionTypes } from '../../core/elf/elf-format.ts';
import { bytesOf } from './elf-builder.ts';
import { alloc, execute, read } from './read-sample.ts';

describe('readModule() of unusual contents', () => {
  test('observes compilers, .eh_frame, linked-in binary data and suspicious strings', () => {
    const compilers = bytesOf('GCC: (Debian) 14\0GCC: (Debian) 14\0GCC: 12\0');
    const text = bytesOf('see /PROC/kallsyms\0This is a Trade Secret of\0');
    const { observations } = read({
      sections: [
        { name: '.comment', data: compilers },
        { name: '.eh_frame', data: new Uint8Array(8) },
        { name: '.rodata.str1.1', flags: alloc, data: text },
        { name: '.text.cold', flags: alloc | execute, data: bytesOf('confidential') },
      ],
      symbols: [{ name: '_binary_blob_start', section: '.text' }],
    });
    assert.deepEqual(observations.compilers, ['GCC: (Debian) 14', 'GCC: (Debian) 14', 'GCC: 12']);
    assert.equal(observations.hasEhFrame, true);
    assert.deepEqual(observations.binarySymbols, ['_binary_blob_start']);
    assert.deepEqual(observations.strings, ['/proc/kallsyms', 'trade secret']);
    assert.equal(observations.deep, undefined);
  });

  test('observes an ELF file embedded in data', () => {
    const head = [0x7f, 0x45, 0x4c, 0x46];
    const inSection = (name: string, bytes: readonly number[]) =>
      read({ sections: [{ name, flags: alloc, data: Uint8Array.from(bytes) }] }).observations
        .embeddedElf;
    assert.deepEqual(inSection('.rodata', [0x7f, 9, ...head, 2, 1, 1, 0]), ['.rodata']);
    assert.deepEqual(inSection('.data', [...head, 1, 2, 1]), ['.data']);
    assert.deepEqual(inSection('.rodata', [...head, 3, 1, 1]), [], 'no class');
    assert.deepEqual(inSection('.rodata', [...head, 2, 1]), [], 'cut off');
    assert.deepEqual(inSection('.note.x', [...head, 2, 1, 1]), []);
  });

  test('observes modinfo strings that one symbol spans across a NUL', () => {
    const modinfo = ['license=GPL', 'legal=closed', 'name=sample', 'vermagic=x'];
    const ends = (size: number, value = 0) =>
      read({ modinfo, symbols: [{ name: 'text', section: '.modinfo', value, size, type: 1 }] })
        .observations.cutTexts;
    assert.deepEqual(ends(25), [{ read: 'license=GPL', rest: ['legal=closed'] }]);
    assert.deepEqual(ends(12), [], 'one text');
    assert.deepEqual(ends(24), [], 'the symbol ends within a text');
    assert.deepEqual(ends(24, 1), [], 'it begins within one');
    assert.deepEqual(ends(9999), [], 'it ends outside the section');
  });

  test('reads the build id', () => {
    const note = Uint8Array.of(4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 71, 78, 85, 0, 0xab, 1, 2, 0);
    const module = read({
      sections: [{ name: '.note.gnu.build-id', type: sectionTypes.note, flags: alloc, data: note }],
    });
    assert.equal(module.buildId, 'ab0102');
  });
});
