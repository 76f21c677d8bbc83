import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvReport } from '../../../core/reports/csv-report.ts';
import { cyclonedxReport } from '../../../core/reports/cyclonedx.ts';
import { items, jsonDocument } from '../../../core/reports/json-pieces.ts';
import { jsonReport } from '../../../core/reports/json-report.ts';
import { sarifReport } from '../../../core/reports/sarif.ts';
import { spdxReport } from '../../../core/reports/spdx.ts';
import { imprint, liar, mixed, moduleReport, scanReport, written } from './report-fixture.ts';
import { mustEnd } from '../../../../../testing/patience.ts';

test('jsonReport() writes the report without changes', () => {
  assert.deepEqual(JSON.parse(written(jsonReport(mixed))), mixed);
  const empty = scanReport([]);
  assert.deepEqual(JSON.parse(written(jsonReport(empty))), empty);
});

test('jsonReport() writes one module per line', () => {
  const lines = written(jsonReport(mixed)).split('\n');
  assert.equal(lines.filter((each) => each.startsWith('{"file":"/')).length, 13);
});

test('jsonDocument() takes an element of items() only when it writes it', () => {
  let made = 0;
  const endless = (function* () {
    for (;;) yield ++made;
  })();
  const pieces = jsonDocument({ before: [1, { nothing: undefined }], endless: items(endless) });
  for (const each of pieces) if (each.includes('3')) break;
  assert.equal(made, 3);
});

test('countsOf() counts by verdict, trust level, denial and requirement', () => {
  const { counts } = mixed;
  assert.equal(counts.modules, 12);
  assert.deepEqual(
    [counts.load, counts.tainting, counts.refuse, counts.denied, counts.rejected, counts.problems],
    [11, 1, 1, 2, 1, 2],
  );
  assert.deepEqual(counts.trustLevels, {
    contradicted: 1,
    unsupported: 1,
    consistent: 0,
    signed: 10,
    reproduced: 0,
  });
});

test('all formats are deterministic for the same report', () => {
  const write = () => [
    written(jsonReport(mixed)),
    written(csvReport(mixed)),
    written(sarifReport(mixed, imprint)),
    written(spdxReport(mixed, imprint)),
    written(cyclonedxReport(mixed, imprint)),
  ];
  assert.deepEqual(write(), write());
});

test('all formats write 20,000 modules of one name in linear time', () => {
  const many = scanReport(
    Array.from({ length: 20_000 }, (_, index) =>
      moduleReport('same', { license: `x ${index % 5_000}`, trustLevel: liar.trustLevel }),
    ),
  );
  let characters = 0;
  mustEnd(() => {
    for (const pieces of [
      jsonReport(many),
      csvReport(many),
      sarifReport(many, imprint),
      spdxReport(many, imprint),
      cyclonedxReport(many, imprint),
    ])
      for (const each of pieces) characters += each.length;
  });
  assert.ok(characters > 20_000_000, String(characters));
});
