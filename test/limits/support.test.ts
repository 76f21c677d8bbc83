/** The reasons why limits are not enforced: codes for programs, one English text for people. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weakSupport, weaknessText, weaknessTexts } from '../../src/limits/support.ts';

test('weakSupport() has the text of all its weaknesses, and their codes', () => {
  const weaknesses = [
    { code: 'sum by the agent' },
    { code: 'buffered writes', value: '/home (zfs)' },
  ] as const;
  assert.deepEqual(
    weakSupport('partial', weaknesses, { code: 'use v2' }, { code: 'newer kernel', value: '5.14' }),
    {
      level: 'partial',
      reason:
        'the kernel has no cap on a sum; the agent adjusts its caps at each tick; buffered writes to /home (zfs) are not charged to the tenant',
      weaknesses,
      help: 'use cgroup v2; use Linux 5.14 or later',
      helps: [{ code: 'use v2' }, { code: 'newer kernel', value: '5.14' }],
    },
  );
  assert.ok(!('help' in weakSupport('none', weaknesses)));
});

test('weaknessText() knows each code, and how many parts a sum has', () => {
  for (const code of Object.keys(weaknessTexts) as (keyof typeof weaknessTexts)[])
    assert.match(weaknessText({ code, value: '2' }), /^.*[a-z].*[^.]$/, code);
  const parts = (value: string) => weaknessText({ code: 'sum without the agent', value });
  assert.match(parts('2'), /each direction has half of it$/);
  assert.match(parts('4'), /each direction of each disk has 1\/4 of it$/);
});
