/** The digests were made by the kernel's own modpost (scripts/mod/sumversion.c of 6.12). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Md4 } from '../../../core/source/md4.ts';
import { normalise } from '../../../core/source/normalise.ts';
import {
  counts,
  srcversionDigest,
  hashedFiles,
  sameSrcversion,
} from '../../../core/source/srcversion.ts';
import { bytesOf } from './trees.ts';

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

test('Md4 computes the same digest as modpost', () => {
  assert.equal(new Md4().update(bytesOf('abc')).hex(), 'C719445509BC140AF62F422D3A293407');
});

test('Md4 pads like modpost at every block boundary', () => {
  const digests: readonly (readonly [number, string])[] = [
    [0, '533BB7E5866E52F63B9ACCB31401D77F'],
    [3, '5D081510F552531FDA6E223BC331A2B6'],
    [55, 'A3A507B5D5E1CFEF2DF8D33A1CFBB0B8'],
    [56, 'C16C8516C4D1B82DA6AD2F3A2B2F588D'],
    [63, 'EDD0DB0D9AB261E961A0B10DAB671CD5'],
    [64, '4509708AE7D5BBB54159607ACEB914C7'],
    [65, 'DFC7DA6C66F3A09DF8384352EA169DD6'],
    [119, '7D6BBF47515A5651641893E367D9687A'],
    [200, 'F44BB49D6F5B9616EE548C2358550CED'],
  ];
  for (const [length, digest] of digests) {
    assert.equal(new Md4().update(bytesOf('a'.repeat(length))).hex(), digest, `${length} bytes`);
  }
});

test('Md4 computes the same digest however its input is split', () => {
  const md4 = new Md4();
  for (const length of [1, 62, 1, 64, 0, 65, 7]) md4.update(bytesOf('a'.repeat(length)));
  assert.equal(md4.hex(), 'F44BB49D6F5B9616EE548C2358550CED');
});

test('normalise() keeps modpost’s quirks', () => {
  const file =
    '/* head */\n#include "a.h"\nint x = 1; // kept\nchar *s = "a  \\" /* b */";\nchar q = \'"\';\nchar *t = "\\\\"; /* lost " */ int y;\n#define A \\\n  1\n/*/ int z;\nint v; \u0000 int never;\n';
  const header = '#ifndef A_H\n#define A_H\nint a ( void ) ;\n#endif\n';
  const digest = srcversionDigest([file, header].map((each) => normalise(bytesOf(each))));
  assert.equal(digest, '879DA02EBE029DDAFC075F38D3A1E1CD');
});

test('normalise() drops blanks and block comments and keeps strings and // comments', () => {
  const kept = text(normalise(bytesOf('int  a; /* gone */ char *s = "b  c"; // stays here\n')));
  assert.equal(kept, 'inta;char*s="b  c";//stayshere');
});

test('normalise() reads an unterminated string or comment to the end', () => {
  assert.equal(text(normalise(bytesOf('a "b c'))), 'a"b c');
  assert.equal(text(normalise(bytesOf('a /* b c'))), 'a');
  assert.equal(text(normalise(bytesOf('a \\'))), 'a\\');
});

test("counts() compares a header's path with the directory as text", () => {
  assert.ok(counts('drivers/foo/a.h', 'drivers/foo/'));
  assert.ok(counts('/linux/include/net/bluetooth/hci.h', 'net/bluetooth/'));
  assert.ok(counts('include/trace/../../drivers/foo/trace.h', 'drivers/foo/'));
  assert.ok(!counts('drivers/foo/sub/a.h', 'drivers/foo/'));
  assert.ok(!counts('drivers/foo/../bar/a.h', 'drivers/foo/'));
  assert.ok(!counts('foo/x/foo/a.h', 'foo/'), 'only the first occurrence counts');
  assert.ok(!counts('a.h', ''), 'an object without a directory has no headers');
});

test('hashedFiles() keeps order and repetitions, and lists each source once', () => {
  const files = hashedFiles([
    { object: 'd/a.o', source: '/s/d/a.c', dependencies: ['/s/d/x.h', '/s/e/y.h', '/s/d/a.c'] },
    { object: 'd/b.o', source: '/s/d/b.c', dependencies: ['/s/d/x.h'] },
  ]);
  assert.deepEqual(files, ['/s/d/a.c', '/s/d/x.h', '/s/d/b.c', '/s/d/x.h']);
});

test('sameSrcversion() accepts the 23 digits of modinfo and nothing shorter', () => {
  const digest = 'C719445509BC140AF62F422D3A293407';
  assert.ok(sameSrcversion(digest.slice(0, 23), digest));
  assert.ok(!sameSrcversion(digest.slice(0, 22), digest));
  assert.ok(!sameSrcversion('', digest));
  assert.ok(!sameSrcversion('D719445509BC140AF62F422', digest));
});
