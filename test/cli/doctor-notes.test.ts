/** Notes of doctor about missing accounts and changed values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { driftLines } from '../../src/cli/commands/policy/drift.ts';
import {
  missingAccountNotes,
  missingAccountsOf,
} from '../../src/cli/commands/policy/missing-accounts.ts';
import type { WriteFile } from '../../src/plan/operations.ts';

test('missingAccountNotes() shows three accounts and counts the others', () => {
  const missing = Array.from({ length: 5 }, (_, index) => ({
    account: { user: `gone${index}`, uid: 64_300 + index, gid: 7, home: '/home/x' },
    state: 'missing' as const,
    element: 'tenant' as const,
  }));
  const notes = (count: number) =>
    missingAccountNotes(missingAccountsOf({ missing: missing.slice(0, count) }));
  assert.deepEqual(notes(0), []);
  assert.equal(notes(3).length, 3);
  assert.match(notes(3)[2] ?? '', /"gone2" does not exist now/);
  assert.deepEqual(notes(5).slice(0, 3), notes(3));
  assert.deepEqual(notes(5).slice(3), ['… and 2 more; "bulkhead doctor --json" lists them all']);
});

test('driftLines() returns a line for each value that systemd must set again', () => {
  const write = (file: string): WriteFile => ({
    kind: 'write',
    cgroup: 'u1001',
    label: 'tenant alice',
    controller: 'pids',
    attribute: 'processes.limit',
    file,
    from: '1',
    to: '2',
    text: '2',
    direction: 'raise',
  });
  const slice = { cgroup: 'u1001', label: 'tenant alice', unit: 'user-1001.slice' };
  const writes = [write('pids.max'), write('cpu.weight')];
  assert.deepEqual(driftLines({ kind: 'realize', ...slice, writes }), [
    'tenant alice: pids.max is 1, the policy requires 2',
    'tenant alice: cpu.weight is 1, the policy requires 2',
  ]);
  assert.deepEqual(driftLines({ kind: 'realize', ...slice, writes: [] }), []);
});
