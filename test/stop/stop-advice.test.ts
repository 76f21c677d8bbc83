import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopAdvice } from '../../src/stop/core/stop-advice.ts';

test('stopAdvice names the command when a hundred forks were refused', () => {
  const advice = (faults: number) => stopAdvice.advice?.({ severity: 'refused', faults }, 'erin');
  assert.equal(advice(99), '');
  assert.match(advice(100) ?? '', /^If it is a fork bomb, .*"bulkhead stop erin" ends all of them/);
});
