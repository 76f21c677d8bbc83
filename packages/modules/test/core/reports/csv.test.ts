import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvReport } from '../../../core/reports/csv-report.ts';
import { hostile, liar, mixed, moduleReport, scanReport, written } from './report-fixture.ts';

const fieldsOf = (name: string, module: typeof liar) => {
  const [header = [], row = []] = parse(written(csvReport(scanReport([module]))));
  return row[header.indexOf(name)];
};

/** Parses strictly by RFC 4180: anything that it does not allow fails. */
function parse(text: string): readonly (readonly string[])[] {
  assert.ok(text.endsWith('\r\n'));
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const [whole, inQuotes, plain, end] = field.exec(text) ?? [];
    assert.ok(whole !== undefined, `no field at ${at}`);
    rows.at(-1)?.push(inQuotes?.replaceAll('""', '"') ?? plain ?? '');
    if (end === '\r\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

test('csvReport() writes one row per module, each as wide as the header', () => {
  const rows = parse(written(csvReport(mixed)));
  assert.equal(rows.length, mixed.modules.length + 1);
  for (const each of rows) assert.equal(each.length, rows[0]?.length);
});

test('csvReport() writes lists, numbers and unknown values', () => {
  assert.equal(fieldsOf('gplOnly', liar), 'synchronize_rcu; device_register');
  assert.equal(fieldsOf('evidence', liar), 'license-nul; license-nul; unsigned; shim');
  assert.equal(fieldsOf('accepted', liar), 'false');
  assert.equal(fieldsOf('kernelTaint', liar), '12288');
  assert.equal(fieldsOf('errno', liar), '');
});

test('csvReport() escapes formulas and control characters', () => {
  assert.match(
    fieldsOf('version', hostile) ?? '',
    /^'=cmd\|"x",\\u\{d\}\\u\{a\}\\u\{0\}\\u\{1b\}\[31m/,
  );
  for (const version of ['+1', '-1', '@x', '=1'])
    assert.equal(fieldsOf('version', moduleReport('m', { version })), `'${version}`);
});

test('csvReport() keeps quotes and commas', () => {
  assert.equal(fieldsOf('license', moduleReport('m', { license: 'a "b", c' })), 'a "b", c');
});
