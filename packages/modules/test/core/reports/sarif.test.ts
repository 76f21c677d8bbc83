import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sarifReport } from '../../../core/reports/sarif.ts';
import type { ScanReport } from '../../../core/reports/report.ts';
import {
  hostile,
  imprint,
  liar,
  mixed,
  moduleReport,
  refused,
  scanReport,
  written,
} from './report-fixture.ts';
import { assertValid, sarifCheck } from './schemas.ts';

interface Location {
  readonly physicalLocation: {
    readonly artifactLocation: { readonly uri: string; readonly uriBaseId?: string };
    readonly region?: { readonly byteOffset: number };
  };
}
interface Result {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly [Location];
  readonly partialFingerprints: Readonly<Record<string, string>>;
}
interface Log {
  readonly runs: readonly [
    {
      readonly tool: {
        readonly driver: {
          readonly rules: readonly {
            readonly id: string;
            readonly defaultConfiguration: { readonly level: string };
          }[];
        };
      };
      readonly results: readonly Result[];
      readonly invocations: readonly [
        { readonly toolExecutionNotifications: readonly { readonly locations: [Location] }[] },
      ];
    },
  ];
}

const logOf = (report: ScanReport) => JSON.parse(written(sarifReport(report, imprint))) as Log;
const resultsOf = (...modules: ScanReport['modules']) => logOf(scanReport(modules)).runs[0].results;
const rulesOf = (...modules: ScanReport['modules']) =>
  resultsOf(...modules).map(({ ruleId, level }) => `${level} ${ruleId}`);

test('sarifReport() is valid by the SARIF 2.1.0 schema', () => {
  const validate = sarifCheck();
  assertValid(validate, logOf(mixed));
  assertValid(validate, logOf(scanReport([])));
  const broken = { ...logOf(mixed), version: '2.0.0' };
  assert.ok(!validate(broken), 'the schema accepts anything');
});

test('sarifReport() has no result for an honest module, or one with only a note', () => {
  assert.deepEqual(
    rulesOf(
      moduleReport('honest', { accepted: true }),
      moduleReport('note', {
        trustLevel: 'unsupported',
        evidence: [{ check: 'nothing-offered', weight: 'note', message: 'x' }],
      }),
    ),
    [],
  );
});

test('sarifReport() reports a lead as a warning, and a proof as an error', () => {
  const evidence = [
    { check: 'gpl-shim', weight: 'lead', message: 'It passes symbols on' },
  ] as const;
  const lead = moduleReport('lead', { trustLevel: 'unsupported', evidence });
  assert.deepEqual(rulesOf(lead), ['warning evidence/gpl-shim']);
  const proof = moduleReport('proof', {
    trustLevel: 'contradicted',
    evidence: [{ ...evidence[0], weight: 'proof' }],
  });
  const [rule] = logOf(scanReport([proof, lead])).runs[0].tool.driver.rules;
  assert.equal(rule?.defaultConfiguration.level, 'error', 'the graver of both');
});

test('sarifReport() reports undecided modules, and taints that depend on a keyring', () => {
  const open = moduleReport('open', {
    undecidedReason: 'no keys',
    loader: { taints: 'O', taintsUnlessTrusted: 'E' },
  });
  assert.deepEqual(rulesOf(open), ['warning policy/undecided', 'note taint/O', 'note taint/E']);
  assert.match(resultsOf(open)[2]?.message.text ?? '', /unless a keyring/);
});

test('sarifReport() has a result for each proof, shortfall, refusal, taint and denial', () => {
  assert.deepEqual(rulesOf(liar), [
    'error evidence/license-nul',
    'error evidence/license-nul',
    'warning evidence/shim',
    'error policy/require',
    'note taint/O',
    'note taint/E',
  ]);
  assert.deepEqual(rulesOf(refused), ['error loader/ENOENT', 'warning taint/P']);
  assert.deepEqual(rulesOf(hostile), ['note denied']);
});

test('sarifReport() reports a contradicted module even without a proof', () => {
  assert.deepEqual(rulesOf(moduleReport('odd', { trustLevel: 'contradicted' })), [
    'error trust/contradicted',
  ]);
});

test('sarifReport() lists exactly the rules that results name, each once', () => {
  const { tool, results } = logOf(mixed).runs[0];
  const ids = tool.driver.rules.map(({ id }) => id);
  assert.deepEqual(
    ids,
    [...new Set(results.map(({ ruleId }) => ruleId))].sort((a, b) => (a < b ? -1 : 1)),
  );
  for (const { ruleId, ruleIndex } of results) assert.equal(ids[ruleIndex], ruleId);
});

test('sarifReport() gives URIs below the root relative to it, encoded', () => {
  const [first] = resultsOf(liar);
  assert.deepEqual(first?.locations[0].physicalLocation.artifactLocation, {
    uri: 'updates/li%20ar%25%23%3F.ko',
    uriBaseId: 'ROOT',
  });
  const [other] = resultsOf(hostile);
  assert.match(
    other?.locations[0].physicalLocation.artifactLocation.uri ?? '',
    /^file:\/\/\/elsewhere\/[A-Za-z0-9%._~!*'()/-]+$/,
  );
});

test('sarifReport() gives each result a fingerprint that stays the same in a new release', () => {
  const fingerprints = (results: readonly Result[]) =>
    results.map(({ partialFingerprints }) => partialFingerprints['bulkheadModule/v1']);
  const before = fingerprints(resultsOf(liar, refused));
  assert.equal(new Set(before).size, before.length);
  const moved = { ...liar, file: '/lib/modules/6.13.0/updates/liar.ko', sha256: 'cd'.repeat(32) };
  assert.deepEqual(fingerprints(resultsOf(moved, refused)), before);
});

test('sarifReport() escapes braces and links in hostile names', () => {
  const text = resultsOf(hostile)[0]?.message.text ?? '';
  assert.ok(text.includes('{{0}}'), text);
  assert.ok(text.includes('[a\\](http://b)'), text);
});

test('sarifReport() reports files that could not be read, with the offset', () => {
  const [first, second] = logOf(mixed).runs[0].invocations[0].toolExecutionNotifications;
  assert.deepEqual(first?.locations[0].physicalLocation, {
    artifactLocation: { uri: 'image.deb!/lib/x.ko', uriBaseId: 'ROOT' },
    region: { byteOffset: 64, byteLength: 0 },
  });
  assert.equal(second?.locations[0].physicalLocation.region, undefined);
});
