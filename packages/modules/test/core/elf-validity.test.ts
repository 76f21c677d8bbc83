/** The kernel's own words about files that are not object files; the oracle in the virtual machine has more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelElfMessage } from '../../core/elf/elf-validity.ts';
import { readModule } from '../../core/record/read-module.ts';
import { buildModule } from './elf-builder.ts';

const whole = buildModule({});
const changed = (change: (view: DataView) => void): Uint8Array => {
  const bytes = whole.slice();
  change(new DataView(bytes.buffer));
  return bytes;
};

test('kernelElfMessage() returns undefined for a module', () => {
  assert.equal(kernelElfMessage(whole), undefined);
});

for (const [what, bytes, line] of [
  ['a short file', whole.slice(0, 63), 'Invalid ELF header len 63'],
  [
    'another magic',
    changed((view) => view.setUint8(1, 0x65)),
    'Invalid ELF header magic: != \x7fELF',
  ],
  [
    'an executable',
    changed((view) => view.setUint16(16, 2, true)),
    'Invalid ELF header type: 2 != 1',
  ],
  [
    'other section headers',
    changed((view) => view.setUint16(58, 40, true)),
    'Invalid ELF section header size',
  ],
  [
    'a table outside the file',
    changed((view) => view.setUint32(44, 1, true)),
    'Invalid ELF section header overflow',
  ],
  [
    'no names',
    changed((view) => view.setUint16(62, 0, true)),
    /^Invalid ELF section name index: 0 /,
  ],
] as const) {
  test(`kernelElfMessage() returns the kernel's message for ${what}`, () => {
    const logged = kernelElfMessage(bytes) ?? '';
    if (typeof line === 'string') assert.equal(logged, line);
    else assert.match(logged, line);
  });
}

test("readModule() returns the kernel's message, and EINVAL for an empty file", () => {
  const short = readModule('a.ko', whole.slice(0, 63));
  assert.ok(!short.ok);
  assert.equal(short.error.kernelMessage, 'Invalid ELF header len 63');
  const empty = readModule('a.ko', new Uint8Array());
  assert.ok(!empty.ok);
  assert.equal(empty.error.kernelErrno, 'EINVAL');
  assert.equal(empty.error.kernelMessage, undefined);
});
