import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jailIncidents, tryEvidence } from '../../../src/jail/core/jail-incidents.ts';
import {
  parseJailRefusal,
  refusalStruct,
  formatJailRefusal,
} from '../../../src/jail/core/refusal.ts';

const tried = { at: 1, program: 'nosy', tried: 'tried to make a user namespace' };

test('tryEvidence.describe() names what was tried to those who may know, else only programs', () => {
  const other = { ...tried, program: 'curl' };
  assert.equal(
    tryEvidence.describe([tried, tried, other], true),
    '2 tries are known: nosy tried to make a user namespace, curl tried to make a user namespace.',
  );
  assert.equal(tryEvidence.describe([tried, other], false), 'Tried by nosy, curl.');
});

test('tryEvidence.line() describes a try, and redact() keeps only the program for resellers', () => {
  assert.equal(tryEvidence.line(tried), 'nosy tried to make a user namespace');
  assert.equal(tryEvidence.line(tryEvidence.redact(tried)), 'nosy');
});

test('jailIncidents.happened() reports how often the tenant was refused', () => {
  const refused = { severity: 'refused', faults: 1 } as const;
  assert.equal(jailIncidents.happened?.(refused, []), 'was refused once what leads past its jail');
});

test('tryEvidence has space for the longest names that the kernel reports', () => {
  const bytes = new Uint8Array(refusalStruct.size).fill(1);
  for (let what = 0; what < 5; what++) {
    new DataView(bytes.buffer).setUint32(refusalStruct.field('what').offset, what, true);
    const refusal = parseJailRefusal(bytes);
    assert.ok(refusal);
    assert.ok(refusal.program.length > 64);
    assert.ok(refusal.program.length <= tryEvidence.fields.program);
    assert.ok(formatJailRefusal(refusal).length <= tryEvidence.fields.tried);
  }
});
