import assert from 'node:assert/strict';
import { readFileSync, rmdirSync } from 'node:fs';
import { test } from 'node:test';
import {
  causeOf,
  formatErrno,
  errnoName,
  errnoOf,
  reasonOf,
} from '../../packages/base/io/errno.ts';

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail('it did not throw');
}

test('errnoName() returns the Linux name of a number, or UNKNOWN', () => {
  assert.equal(errnoName(2), 'ENOENT');
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(95), 'EOPNOTSUPP');
  assert.equal(errnoName(117), 'EUCLEAN');
  assert.equal(errnoName(4000), 'UNKNOWN');
});

test('errnoOf() returns the name of the error that a call failed with', () => {
  assert.equal(errnoOf(thrownBy(() => readFileSync('/none'))), 'ENOENT');
  assert.equal(errnoOf(thrownBy(() => rmdirSync('/proc'))), 'EBUSY');
  assert.equal(errnoOf(thrownBy(() => readFileSync('a\0b'))), 'EINVAL');
});

test('errnoOf() and reasonOf() rethrow errors that are not from the system', () => {
  const defect = new TypeError('x is not a function');
  assert.throws(() => errnoOf(defect), defect);
  assert.throws(() => reasonOf(defect), defect);
});

test('reasonOf() and formatErrno() explain an error in words', () => {
  const missing = thrownBy(() => readFileSync('/none'));
  assert.equal(reasonOf(missing), 'it does not exist');
  assert.deepEqual(causeOf(missing), { reason: 'it does not exist', errno: 'ENOENT' });
  assert.equal(formatErrno('EBUSY'), 'EBUSY (in use)');
  assert.equal(formatErrno('EPIPE'), 'EPIPE');
});
