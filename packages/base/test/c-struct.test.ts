import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CStruct } from '../c-struct.ts';

const struct = new CStruct({ kind: 'u32', total: 'u64', change: 's32', name: [3], names: [2, 4] });

test('CStruct aligns each field to its size, and the struct to its largest field', () => {
  const offsets = [...struct.fields].map(([name, { offset, size }]) => [name, offset, size]);
  assert.deepEqual(offsets, [
    ['kind', 0, 4],
    ['total', 8, 8],
    ['change', 16, 4],
    ['name', 20, 3],
    ['names', 23, 8],
  ]);
  assert.equal(struct.size, 32);
});

test('CStruct.read() reads little-endian values, also from a view with an offset', () => {
  const bytes = new Uint8Array(40).subarray(5);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, 0xffff_fffe, true);
  view.setBigUint64(8, 2n ** 63n, true);
  view.setInt32(16, -15, true);
  bytes.set(new TextEncoder().encode('abcdefgx'), 20);
  const record = struct.read(bytes);
  assert.ok(record);
  assert.equal(record.number('kind'), 0xffff_fffe);
  assert.equal(record.bigint('total'), 2n ** 63n);
  assert.equal(record.number('change'), -15);
  assert.equal(record.text('name'), 'abc');
  assert.deepEqual(record.texts('names'), ['defg', 'x']);
  assert.deepEqual([...record.bytes('name')], [97, 98, 99]);
});

test('CStruct.read() returns undefined when the record is too short', () => {
  assert.equal(struct.read(new Uint8Array(struct.size - 1)), undefined);
});
