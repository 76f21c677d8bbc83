import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cyclonedxReport } from '../../../core/reports/cyclonedx.ts';
import type { ScanReport } from '../../../core/reports/report.ts';
import {
  hostileText,
  imprint,
  liar,
  mixed,
  moduleReport,
  scanReport,
  written,
} from './report-fixture.ts';
import { assertValid, cyclonedxCheck } from './schemas.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly licenses?: readonly object[];
  readonly hashes: readonly object[];
  readonly properties: readonly { readonly name: string; readonly value: string }[];
}
interface Bom {
  readonly serialNumber: string;
  readonly components: readonly Component[];
}

const bomOf = (report: ScanReport) => JSON.parse(written(cyclonedxReport(report, imprint))) as Bom;
const licensesOf = (license: string | null) =>
  bomOf(scanReport([moduleReport('m', { license })])).components[0]?.licenses;

test('cyclonedxReport() is valid by the CycloneDX 1.6 schema', () => {
  const validate = cyclonedxCheck();
  assertValid(validate, bomOf(mixed));
  assertValid(validate, bomOf(scanReport([])));
  assert.ok(!validate({ ...bomOf(mixed), serialNumber: 'x' }), 'the schema accepts anything');
});

test('cyclonedxReport() gives every component a unique bom-ref', () => {
  const refs = bomOf(mixed).components.map((each) => each['bom-ref']);
  assert.equal(refs.length, mixed.modules.length);
  assert.equal(new Set(refs).size, refs.length);
});

test('cyclonedxReport() states only the declared license', () => {
  const acknowledgement = 'declared';
  assert.deepEqual(licensesOf('GPL v2'), [{ license: { id: 'GPL-2.0-only', acknowledgement } }]);
  assert.deepEqual(licensesOf('Dual MIT/GPL'), [
    { expression: 'MIT OR GPL-2.0-only', acknowledgement },
  ]);
  assert.deepEqual(licensesOf('GPLv2'), [{ license: { name: 'GPLv2', acknowledgement } }]);
  assert.equal(licensesOf(null), undefined);
  assert.deepEqual(licensesOf(hostileText), [{ license: { name: hostileText, acknowledgement } }]);
});

test('cyclonedxReport() writes hash, trust level, verdict and evidence', () => {
  const [component] = bomOf(scanReport([liar])).components;
  assert.deepEqual(component?.hashes, [{ alg: 'SHA-256', content: liar.sha256 }]);
  const valuesOf = (name: string) =>
    component?.properties.filter((each) => each.name === name).map(({ value }) => value);
  assert.deepEqual(valuesOf('bulkhead:trustLevel'), ['contradicted']);
  assert.deepEqual(valuesOf('bulkhead:loader:taints'), ['OE']);
  assert.deepEqual(valuesOf('bulkhead:gplOnly'), ['synchronize_rcu', 'device_register']);
  assert.equal(valuesOf('bulkhead:evidence:proof:license-nul')?.length, 2);
  assert.deepEqual(valuesOf('bulkhead:accepted'), ['false']);
});
