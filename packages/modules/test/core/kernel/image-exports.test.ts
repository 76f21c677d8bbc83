import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readElf } from '../../../core/elf/read-elf.ts';
import { readImageExports } from '../../../core/kernel/image-exports.ts';
import { elfFile, exportSections, type SectionText } from './elf-file.ts';

const plain = [
  { name: 'memcpy', crc: 0xdeadbeef },
  { name: 'vfs_read', namespace: 'ONLY_FOR_SOME', crc: 2 },
];
const gpl = [{ name: 'synchronize_rcu', crc: 3 }];
const expected = [
  { name: 'memcpy', namespace: undefined, gplOnly: false, crc: 0xdeadbeef },
  { name: 'vfs_read', namespace: 'ONLY_FOR_SOME', gplOnly: false, crc: 2 },
  { name: 'synchronize_rcu', namespace: undefined, gplOnly: true, crc: 3 },
];

function exportsOf(sections: readonly SectionText[]) {
  const elf = readElf(elfFile(sections));
  assert.ok(elf.ok);
  return readImageExports(elf.value);
}

test('readImageExports() reads relative and absolute entries', () => {
  for (const layout of ['relative', 'addresses'] as const) {
    assert.deepEqual(exportsOf(exportSections(plain, gpl, layout)), { ok: true, value: expected });
  }
});

test('readImageExports() reads GPL-only from __kflagstab when there is one table', () => {
  const sections = exportSections([...plain, ...gpl], []);
  const flags = { name: '__kflagstab', bytes: Buffer.from([0, 0, 1]), flags: 2 };
  assert.deepEqual(exportsOf([...sections, flags]), { ok: true, value: expected });
  const short = exportsOf([...sections, { ...flags, bytes: Buffer.from([0, 0]) }]);
  assert.ok(!short.ok && short.error.message.includes('fewer export flags'));
});

test('readImageExports() returns no CRCs without __kcrctab, and no exports without tables', () => {
  const without = exportSections(plain, gpl).filter((each) => !each.name.startsWith('__kcrctab'));
  const read = exportsOf(without);
  assert.ok(
    read.ok && read.value.every((each) => each.crc === undefined) && read.value.length === 3,
  );
  assert.deepEqual(exportsOf([]), { ok: true, value: [] });
});

test('readImageExports() refuses tables with invalid entries or sizes', () => {
  const wild = exportSections(plain, gpl).map((each) =>
    each.name === '__ksymtab_gpl' ? { ...each, bytes: Buffer.alloc(12, 0x7f) } : each,
  );
  const read = exportsOf(wild);
  assert.ok(!read.ok && read.error.message.includes('unknown layout') && read.error.offset > 0);
  const odd = exportSections(plain, gpl).map((each) =>
    each.name === '__kcrctab' ? { ...each, bytes: Buffer.alloc(7) } : each,
  );
  assert.ok(!exportsOf(odd).ok);
});

test('readImageExports() never throws when bytes are changed at random', () => {
  const file = Buffer.from(elfFile(exportSections(plain, gpl)));
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  let refused = 0;
  for (let run = 0; run < 3000; run++) {
    const copy = Buffer.from(file);
    for (let change = 0; change < 4; change++) copy[random(copy.length)] = random(256);
    const elf = readElf(copy);
    if (!elf.ok || !readImageExports(elf.value).ok) refused += 1;
  }
  assert.ok(refused > 300 && refused < 3000, `${refused} of 3000 were refused`);
});
