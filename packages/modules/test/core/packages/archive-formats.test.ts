import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../../core/elf/bytes.ts';
import { arMagic, readAr } from '../../../core/packages/ar.ts';
import { linkTargetInside, pathInside } from '../../../core/packages/archive.ts';
import { cpioReader } from '../../../core/packages/cpio.ts';
import { readRpm } from '../../../core/packages/rpm.ts';
import { tarReader } from '../../../core/packages/tar.ts';
import { cpio, listed, paxRecord, rpm, tar, tarFile } from './builders.ts';

const at = (bytes: Uint8Array) => (offset: number, size: number) =>
  bytes.subarray(offset, offset + size);
const long = `deep/${'n'.repeat(200)}.ko`;

test('tarReader() reads the same entries from pieces of any size', () => {
  const bytes = tar(
    { name: 'a/', type: '5' },
    { name: 'a/empty' },
    { name: 'a/b', contents: 'x'.repeat(1500) },
    { name: 'a/l', type: '2', target: 'b' },
    { name: 'a/h', type: '1', target: 'a/b' },
    { name: 'a/fifo', type: '6' },
  );
  const expected = [
    'directory a/: ',
    'file a/empty: ',
    `file a/b: ${'x'.repeat(1500)}`,
    'symlink a/l -> b: ',
    'hard link a/h -> a/b: ',
    'other a/fifo: ',
  ];
  for (const size of [1, 7, 511, 512, 513, 100_000]) {
    assert.deepEqual(listed(tarReader(), bytes, size), expected, `pieces of ${size}`);
  }
});

test('tarReader() reads GNU and pax long names, and sizes in base 256', () => {
  const size = Uint8Array.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  const bytes = tar(
    { name: '././@LongLink', type: 'L', contents: `${long}\0` },
    { name: 'cut', contents: 'g' },
    { name: 'pax', type: 'x', contents: paxRecord('path', long) + paxRecord('size', '3') },
    { name: 'cut', contents: 'pax', size: '00000000000' },
    { name: 'big', contents: 'hi', size },
    { name: 'after', contents: 'z' },
  );
  assert.deepEqual(listed(tarReader(), bytes), [
    `file ${long}: g`,
    `file ${long}: pax`,
    'file big: hi',
    'file after: z',
  ]);
});

test('tarReader() refuses archives that are cut short, damaged or lie about sizes', () => {
  const bytes = tar({ name: 'a', contents: 'hello' });
  const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['cut in the contents', bytes.subarray(0, 514), /middle of the archive/],
    ['cut in a header', bytes.subarray(0, 100), /middle of the archive/],
    ['larger than there is', tar({ name: 'a', size: '77777777777' }), /middle of the archive/],
    ['negative size', tar({ name: 'a', size: new Uint8Array(12).fill(0xff) }), /invalid size/],
    ['no number', tar({ name: 'a', size: 'abc' }), /invalid size/],
    ['flipped bit', Buffer.from(bytes).fill('b', 0, 1), /not a tar archive/],
    ['huge long name', tar({ name: 'L', type: 'L', size: '00077777777' }), /at most/],
    ['huge pax header', tar({ name: 'x', type: 'x', size: '77777777777' }), /at most/],
    ['damaged pax', tar({ name: 'x', type: 'x', contents: '99 path=a\n' }), /damaged pax/],
    [
      'only extensions',
      Buffer.concat(Array.from({ length: 20 }, () => tarFile({ name: 'x', type: 'g' }))),
      /extension headers/,
    ],
  ];
  for (const [what, broken, message] of bad) {
    assert.throws(() => listed(tarReader(), broken, 512), { message }, what);
    assert.throws(() => listed(tarReader(), broken, 512), FormatError, what);
  }
});

test('cpioReader() reads files, links and directories, and stops at the trailer', () => {
  const bytes = cpio(
    { name: './d', mode: 0o040755 },
    { name: './d/x.ko', contents: 'module' },
    { name: './d/l', mode: 0o120777, contents: 'x.ko' },
    { name: './e', contents: '' },
    { name: './null', mode: 0o020666 },
  );
  for (const size of [1, 5, 110, 4096]) {
    assert.deepEqual(listed(cpioReader(), Buffer.concat([bytes, Buffer.alloc(512)]), size), [
      'directory ./d: ',
      'file ./d/x.ko: module',
      'symlink ./d/l -> x.ko: ',
      'file ./e: ',
      'other ./null: ',
    ]);
  }
});

test('cpioReader() refuses other formats, names that are too long, and cut archives', () => {
  const bytes = cpio({ name: 'a', contents: 'hello' });
  for (const [broken, message] of [
    [Buffer.from('070707'.padEnd(200, '0')), /not a cpio/],
    [Buffer.from('07070X'.padEnd(200, '0')), /4 GiB/],
    [cpio({ name: 'a', nameBytes: 0xffffffff }), /at most/],
    [cpio({ name: 'a', nameBytes: 0 }), /at most/],
    [cpio({ name: 'l', mode: 0o120777, contents: 'x'.repeat(5000) }), /link of 5000 bytes/],
    [bytes.subarray(0, 120), /middle of the archive/],
  ] as const) {
    assert.throws(() => listed(cpioReader(), broken), { message });
  }
});

test('readRpm() reads name, license and payload, and refuses cut or lying headers', () => {
  const tags = {
    1000: 'kmod-x',
    1001: '1.2',
    1002: '3.el9',
    1014: 'GPLv2',
    1022: 'x86_64',
    1125: 'xz',
  };
  const bytes = rpm(tags, Buffer.from('PAYLOAD'));
  const read = readRpm(at(bytes));
  assert.equal(bytes.subarray(read.payloadOffset).toString(), 'PAYLOAD');
  assert.deepEqual(
    [read.name, read.version, read.release, read.license, read.sourceRpm, read.payloadCompressor],
    ['kmod-x', '1.2', '3.el9', 'GPLv2', undefined, 'xz'],
  );
  assert.throws(() => readRpm(at(rpm({ 1000: 'x' }, Buffer.alloc(0)))), { message: /no version/ });
  for (let cut = 0; cut < read.payloadOffset; cut += 5) {
    assert.throws(() => readRpm(at(bytes.subarray(0, cut))), FormatError, `cut at ${cut}`);
  }
  const lying = Buffer.from(bytes);
  lying.writeUInt32BE(0xffffffff, 96 + 8);
  assert.throws(() => readRpm(at(lying)), { message: /at most/ });
});

test('readAr() lists members, and refuses wrong sizes and headers', () => {
  const member = (name: string, size: string, body: string) =>
    `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${size.padEnd(10)}\`\n${body}`;
  const good = Buffer.from(`${arMagic}${member('a', '3', 'abc\n')}${member('b/', '2', 'de')}`);
  assert.deepEqual(
    readAr(at(good), good.length).map((each) => [
      each.name,
      each.bytes,
      good.toString('latin1', each.offset, each.offset + each.bytes),
    ]),
    [
      ['a', 3, 'abc'],
      ['b', 2, 'de'],
    ],
  );
  for (const [text, message] of [
    [`${arMagic}${member('a', '9999999999', 'abc')}`, /middle of its member/],
    [`${arMagic}${member('a', '-3', 'abc')}`, /without a size/],
    [`${arMagic}short`, /damaged header/],
    ['!<thin>\n', /not an ar archive/],
    [`${arMagic}${member('a', '0', '').repeat(65)}`, /more than 64/],
  ] as const) {
    const bytes = Buffer.from(text);
    assert.throws(() => readAr(at(bytes), bytes.length), { message });
  }
});

test('pathInside() and linkTargetInside() refuse paths that lead outside', () => {
  assert.deepEqual(pathInside('./usr//src/./x'), { path: 'usr/src/x' });
  assert.deepEqual(pathInside('./'), { path: '' });
  assert.deepEqual(pathInside('a/..b/c..'), { path: 'a/..b/c..' });
  for (const name of ['/etc/passwd', '../x', 'a/../../x', 'a/..', 'a\0b', 'n'.repeat(5000)]) {
    assert.ok('why' in pathInside(name), name.slice(0, 20));
  }
  assert.equal(linkTargetInside('a/b/l', '../c'), 'a/c');
  assert.equal(linkTargetInside('a/l', '../../c'), undefined);
  assert.equal(linkTargetInside('a/l', '/c'), undefined);
});
