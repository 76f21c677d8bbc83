/** Files made to take the time or the memory of whoever reads them, and texts made to steer a terminal. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesAsText } from '../../core/elf/bytes.ts';
import { sectionFlags, sectionTypes } from '../../core/elf/elf-format.ts';
import { parseModinfo } from '../../core/record/modinfo.ts';
import { readModule } from '../../core/record/read-module.ts';
import { csvReport } from '../../core/reports/csv-report.ts';
import { jsonReport } from '../../core/reports/json-report.ts';
import { MacroTable, parseMacro, tokenise, Work } from '../../core/preprocessor/macros.ts';
import { Makefile, MakefileError } from '../../core/make/makefile.ts';
import { buildModule, type ModuleSpec, type SectionSpec } from './elf-builder.ts';
import { moduleReport, scanReport, written } from './reports/report-fixture.ts';
import { mustEnd } from '../../../../testing/patience.ts';

function problemOf(bytes: Uint8Array): string {
  const result = mustEnd(() => readModule('hostile.ko', bytes, { deep: true }));
  assert.ok(!result.ok, 'it was read');
  return result.error.message;
}

/** Behind the sections that every module has, and so within the zeros. */
const padAt = 4096;
const zeros = (bytes: number): SectionSpec => ({ name: '.pad', data: new Uint8Array(bytes) });

/** Changes the header of the one section of that type, or of the last one before `.shstrtab`. */
function withSection(spec: ModuleSpec, type: number, change: Partial<Record<'size', number>>) {
  const bytes = buildModule(spec);
  const view = new DataView(bytes.buffer);
  const table = Number(view.getBigUint64(40, true));
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const at = table + index * 64;
    if (view.getUint32(at + 4, true) !== type) continue;
    view.setBigUint64(at + 24, BigInt(padAt), true);
    view.setBigUint64(at + 32, BigInt(change.size ?? 0), true);
  }
  return bytes;
}

describe('readModule() of files made to exhaust memory', () => {
  test('refuses more symbols than any module has', () => {
    const size = (2 ** 22 + 2) * 24;
    const bytes = withSection({ sections: [zeros(size + padAt)] }, sectionTypes.symtab, { size });
    assert.match(problemOf(bytes), /more than 4194304 symbols/);
  });

  test('refuses more imports than a kernel could resolve', () => {
    const size = (2 ** 17 + 100) * 24;
    const bytes = withSection({ sections: [zeros(size + padAt)] }, sectionTypes.symtab, { size });
    assert.match(problemOf(bytes), /more than 131072 symbols to resolve/);
  });

  test('refuses relocations that many sections share', () => {
    // Type 0 changes nothing: each of the sections is gone through to its end.
    const size = 24 * 40_000;
    const one: SectionSpec = {
      name: '.rela.text',
      type: sectionTypes.rela,
      info: 1,
      size,
      offset: padAt,
    };
    const sections = [zeros(size + padAt), ...Array.from({ length: 5000 }, () => one)];
    const bytes = buildModule({ sections });
    assert.match(problemOf(bytes), /relocations that overlap/);
  });

  test('refuses too many versions, exports or modinfo bytes', () => {
    const { alloc } = sectionFlags;
    const huge = (name: string, bytes: number): ModuleSpec => ({
      versions: false,
      sections: [{ name, flags: alloc, data: new Uint8Array(bytes) }],
    });
    assert.match(problemOf(buildModule(huge('__versions', 64 * (2 ** 17 + 1)))), /more versions/);
    assert.match(problemOf(buildModule(huge('__ksymtab', 24 * (2 ** 17 + 1)))), /exports more/);
    const modinfo = { ...huge('.modinfo', 17 * 2 ** 20), modinfo: false } as const;
    assert.match(problemOf(buildModule(modinfo)), /more than 16777216 bytes in ".modinfo"/);
  });

  test('bytesAsText() reads text that is not UTF-8 in at most 12 times its size', () => {
    const bytes = new Uint8Array(8 * 2 ** 20).fill(0xe9);
    const before = process.memoryUsage().heapUsed;
    const text = bytesAsText(bytes);
    assert.ok(process.memoryUsage().heapUsed - before < bytes.length * 12);
    assert.equal(text.length, bytes.length);
    assert.equal(text.at(-1), 'é');
    assert.deepEqual(parseModinfo(Uint8Array.of(0x61, 0x3d, 0xe9)), [{ tag: 'a', value: 'é' }]);
  });
});

test('MacroTable.expand() throws when macros grow without end', () => {
  const texts = Array.from({ length: 60 }, (_, index) => `P${index}(x) P${index + 1}(#x #x)`);
  const table = new MacroTable([], new Work());
  for (const text of [
    ...texts,
    'A0 1 + 1',
    ...Array.from({ length: 60 }, (_, i) => `A${i + 1} A${i} A${i}`),
  ]) {
    const parsed = parseMacro(text);
    assert.ok(parsed !== undefined);
    table.macros.set(parsed.name, parsed.macro);
  }
  assert.throws(() => table.expand(tokenise('P0(abcdefgh)')), /a text without end/);
  assert.throws(() => table.expand(tokenise('A60')), /without end/);
});

test('Makefile.evaluate() throws when nested loops would run forever', () => {
  const loops = '$(foreach i,$(l),$(foreach j,$(l),$(foreach k,$(l),)))';
  const text = `l := ${'a '.repeat(2000)}\nx := ${loops}\n`;
  const files = { read: () => undefined, exists: () => false, matching: () => [] };
  const settings = {
    isKnownUnset: () => false,
    isKnownMissing: () => false,
    answer: () => undefined,
  };
  assert.throws(
    () => mustEnd(() => new Makefile(files, [], settings).evaluate(text)),
    MakefileError,
  );
});

test('tokenise() takes linear time for strings that never end', () => {
  for (const text of ['\\"', "\\'", '"\\\\', '\'"\\', '\\\\\\"', '\\"\\\'']) {
    mustEnd(() => tokenise(text.repeat(1_000_000)));
  }
  assert.deepEqual(tokenise(`"a\\"b" '\\'' x`), [`"a\\"b"`, ' ', `'\\''`, ' ', 'x']);
});

/** CSI in one character, and text that turns its direction. */
const steering = 'GPL\u009b31m\u202egnp.exe\u007f\u2028';

describe('reports with hostile text', () => {
  const report = scanReport([moduleReport('odd', { license: steering })]);

  test('jsonReport() escapes characters that control a terminal, and keeps the value', () => {
    const text = written(jsonReport(report));
    // oxlint-disable-next-line no-control-regex -- the subject of the test
    assert.doesNotMatch(text, /[\u007f-\u009f\u2028\u202e]/);
    assert.deepEqual(JSON.parse(text), report);
  });

  test('csvReport() escapes characters that control a terminal', () => {
    const text = written(csvReport(report));
    // oxlint-disable-next-line no-control-regex -- the subject of the test
    assert.doesNotMatch(text, /[\u007f-\u009f\u2028\u202e]/);
    assert.match(text, /GPL\\u\{9b\}31m\\u\{202e\}gnp\.exe\\u\{7f\}\\u\{2028\}/);
  });
});
