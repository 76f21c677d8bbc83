import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowers } from '../../src/limits/flat-file.ts';

test('lowers() compares every limit of a file', () => {
  const io = (read: string, write: string) => `rbps=${read} wbps=${write} riops=max wiops=max`;
  assert.ok(lowers(io('max', 'max'), io('1024', 'max')));
  assert.ok(lowers(io('2048', '2048'), io('4096', '1024')));
  assert.ok(!lowers(io('1024', '1024'), io('1024', 'max')));
  assert.ok(lowers('max 100000', '50000 100000') && !lowers('50000 100000', 'max 100000'));
  assert.ok(lowers('-1', '100') && lowers('max', '9') && !lowers('9', '10') && !lowers('9', 'max'));
});
