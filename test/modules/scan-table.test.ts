/** The table of `bulkhead modules scan`: what is listed, what is counted, and what is left open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colorsIf } from '../../src/cli/shared/terminal.ts';
import { scanTable } from '../../src/modules/commands/scan-table.ts';
import {
  moduleReport,
  scanReport,
} from '../../packages/modules/test/core/reports/report-fixture.ts';

const terminal = { columns: 200, isTerminal: false, colors: colorsIf(false) };
const clean = { result: 'load', errno: null, errnoName: null, messages: [], reasons: [] } as const;
const taint = 1 << 13;
const perhaps = {
  ...clean,
  taints: '',
  taintsUnlessTrusted: 'E',
  kernelTaintUnlessTrusted: taint,
  unknown: ['Whether a keyring …'],
};

/** Signed with a key that nothing here knows: on a host without an image, each module of its kernel. */
const unverified = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    moduleReport(`m${index}`, {
      trustLevel: 'unsupported',
      signature: 'unknown key',
      loader: perhaps,
      evidence: [
        { check: 'signature-unknown-key', weight: 'note', message: 'It carries a signature' },
      ],
    }),
  );
const unsigned = moduleReport('odd', {
  trustLevel: 'unsupported',
  signature: 'none',
  loader: { ...clean, taints: 'E', kernelTaint: taint },
  evidence: [],
});

test('scanTable() counts modules with an unknown key, and lists the one that differs', () => {
  const text = scanTable(scanReport([...unverified(100), unsigned]), false, terminal);
  assert.match(text, /^unsupported: 101 modules$/m);
  assert.match(text, /^100 of them are signed with an unknown key; --all lists them$/m);
  assert.match(text, /^odd .* loads, taints E /m);
  assert.doesNotMatch(text, /^m\d/m);
  assert.match(
    text,
    /^the loader would accept 101, 1 of them taints the kernel, 100 of them taint the kernel if it does not trust their signing key, refuse 0$/m,
  );
});

test('scanTable() lists a single module with an unknown key, and many only with --all', () => {
  assert.match(scanTable(scanReport(unverified(1)), false, terminal), /^m0 .* loads, taints E\? /m);
  assert.match(scanTable(scanReport(unverified(100)), true, terminal), /^m99 /m);
});

test('scanTable() prints the evidence that decides the trust level', () => {
  const note = {
    check: 'signature-unknown-key',
    weight: 'note',
    message: 'It carries a signature',
  } as const;
  const ground = {
    check: 'source-consistent',
    weight: 'support',
    message: 'Its source agrees',
  } as const;
  const agrees = {
    check: 'package-agrees',
    weight: 'support',
    message: 'Its package agrees',
  } as const;
  const consistent = moduleReport('c', {
    trustLevel: 'consistent',
    evidence: [note, agrees, ground],
  });
  assert.match(scanTable(scanReport([consistent]), true, terminal), /^c .* Its source agrees$/m);
});

test('scanTable() counts rejected and undecided modules separately', () => {
  const below = moduleReport('below', { trustLevel: 'unsupported', accepted: false });
  const open = moduleReport('open', { trustLevel: 'unsupported', undecidedReason: 'why' });
  const text = scanTable(scanReport([below, open]), false, terminal);
  assert.match(text, /^1 below the required trust level or denied by the policy$/m);
  assert.match(text, /^1 that cannot be checked against the required trust level$/m);
});
