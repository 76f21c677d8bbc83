import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortBytes } from '../bytes.ts';

test('shortBytes() formats with three digits and the largest unit that fits', () => {
  const rows = [
    [0, '0B'],
    [999, '999B'],
    [1000, '0.98KiB'],
    [20 * 1024, '20.0KiB'],
    [1.25 * 2 ** 30, '1.25GiB'],
    [700 * 2 ** 20, '700MiB'],
    [5000 * 2 ** 40, '5000TiB'],
    [Number.NaN, '0B'],
  ] as const;
  for (const [bytes, text] of rows) assert.equal(shortBytes(bytes), text);
});
