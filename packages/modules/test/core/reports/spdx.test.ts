/**
 * SPDX's own schema is in no package that we could test with, so the structure is checked against what
 * SPDX 2.3 says in clauses 6 (document), 7 (package), 10 (other licenses), 11 (relationships) and 12
 * (annotations), of the fields that we write; references and expressions are checked beyond any schema.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spdxReport } from '../../../core/reports/spdx.ts';
import type { ScanReport } from '../../../core/reports/report.ts';
import {
  imprint,
  liar,
  mixed,
  moduleReport,
  refused,
  scanReport,
  written,
} from './report-fixture.ts';
import { assertValid, check, spdxLicenses } from './schemas.ts';

const text = { type: 'string', minLength: 1 };
const identifier = { type: 'string', pattern: '^SPDXRef-[a-zA-Z0-9.-]+$' };
const instant = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' };
const tool = { type: 'string', pattern: '^Tool: \\S+-\\S+$' };
const listOf = (element: object, atLeast = 0) => ({
  type: 'array',
  minItems: atLeast,
  items: element,
});
const only = (properties: Readonly<Record<string, object>>, ...optional: string[]) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((each) => !optional.includes(each)),
  additionalProperties: false,
});

const checksum = only({
  algorithm: { const: 'SHA256' },
  checksumValue: { type: 'string', pattern: '^[0-9a-f]{64}$' },
});
const annotation = only({
  annotationDate: instant,
  annotationType: { enum: ['OTHER', 'REVIEW'] },
  annotator: tool,
  comment: text,
});
const packageSchema = only(
  {
    SPDXID: identifier,
    name: text,
    versionInfo: text,
    packageFileName: text,
    downloadLocation: { const: 'NOASSERTION' },
    // Clause 7.8: then there is no verification code, and no license from files.
    filesAnalyzed: { const: false },
    primaryPackagePurpose: { enum: ['FILE', 'INSTALL'] },
    checksums: listOf(checksum, 1),
    licenseConcluded: text,
    licenseDeclared: text,
    licenseComments: text,
    copyrightText: text,
    annotations: listOf(annotation, 1),
  },
  'versionInfo',
  'packageFileName',
  'checksums',
  'licenseComments',
  'annotations',
);
const documentSchema = only({
  spdxVersion: { const: 'SPDX-2.3' },
  dataLicense: { const: 'CC0-1.0' },
  SPDXID: { const: 'SPDXRef-DOCUMENT' },
  name: text,
  documentNamespace: { type: 'string', format: 'uri', pattern: '^[^#]+$' },
  creationInfo: only({ created: instant, creators: listOf(tool, 1) }),
  packages: listOf(packageSchema),
  hasExtractedLicensingInfos: listOf(
    only({
      licenseId: { type: 'string', pattern: '^LicenseRef-[a-zA-Z0-9.-]+$' },
      extractedText: text,
      name: text,
    }),
  ),
  relationships: listOf(
    only({
      spdxElementId: identifier,
      relationshipType: { enum: ['DESCRIBES', 'CONTAINS'] },
      relatedSpdxElement: identifier,
    }),
  ),
});

interface Package {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly licenseDeclared: string;
  readonly annotations?: readonly [{ readonly comment: string }];
}
interface Document {
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly Package[];
  readonly hasExtractedLicensingInfos: readonly {
    readonly licenseId: string;
    readonly extractedText: string;
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
}

const documentOf = (report: ScanReport, created = imprint.createdIso) =>
  JSON.parse(written(spdxReport(report, { ...imprint, createdIso: created }))) as Document;

const declaredFor = (license: string | null) =>
  documentOf(scanReport([moduleReport('m', { license, package: null })])).packages[0]
    ?.licenseDeclared;

test('spdxReport() has the structure that SPDX 2.3 requires', () => {
  const validate = check(documentSchema);
  assertValid(validate, documentOf(mixed));
  assertValid(validate, documentOf(scanReport([])));
  assertValid(validate, documentOf(mixed, '2026-03-04T05:06:07.123Z'));
  assert.ok(!validate({ ...documentOf(mixed), packages: [{}] }), 'the schema accepts anything');
});

test('spdxReport() gives elements unique identifiers, and refers only to existing ones', () => {
  const { packages, relationships } = documentOf(mixed);
  const ids = new Set([...packages.map(({ SPDXID }) => SPDXID), 'SPDXRef-DOCUMENT']);
  assert.equal(ids.size, packages.length + 1);
  for (const { spdxElementId, relatedSpdxElement } of relationships) {
    assert.ok(ids.has(spdxElementId), spdxElementId);
    assert.ok(ids.has(relatedSpdxElement), relatedSpdxElement);
  }
  const described = relationships.filter((each) => each.relationshipType === 'DESCRIBES');
  assert.equal(described.length, mixed.modules.length);
});

test('spdxReport() uses SPDX license ids, or references that it explains once each', () => {
  const { packages, hasExtractedLicensingInfos: extracted } = documentOf(mixed);
  const explained = extracted.map(({ licenseId }) => licenseId);
  assert.equal(new Set(explained).size, explained.length);
  const known = new Set([...spdxLicenses(), ...explained, 'NONE', 'NOASSERTION']);
  const used = packages.flatMap(({ licenseDeclared }) => licenseDeclared.split(' OR '));
  for (const each of used) assert.ok(known.has(each), each);
  for (const each of explained) assert.ok(used.includes(each), `${each} is not used`);
});

test("spdxReport() declares MODULE_LICENSE by the kernel's rules", () => {
  assert.equal(declaredFor('GPL'), 'GPL-2.0-only');
  assert.equal(declaredFor('GPL v2'), 'GPL-2.0-only');
  assert.equal(declaredFor('GPL and additional rights'), 'LicenseRef-GPL-and-additional-rights');
  assert.equal(declaredFor('Dual BSD/GPL'), 'LicenseRef-BSD-unspecified OR GPL-2.0-only');
  assert.equal(declaredFor('Dual MIT/GPL'), 'MIT OR GPL-2.0-only');
  assert.equal(declaredFor('Dual MPL/GPL'), 'LicenseRef-MPL-unspecified OR GPL-2.0-only');
  assert.equal(declaredFor('Proprietary'), 'LicenseRef-MODULE-LICENSE-Proprietary');
  assert.equal(declaredFor('GPLv2'), 'LicenseRef-MODULE-LICENSE-GPLv2');
  assert.equal(declaredFor(''), 'LicenseRef-MODULE-LICENSE-x');
  assert.equal(declaredFor(null), 'NONE');
});

test('spdxReport() gives licenses that differ only in punctuation different references', () => {
  const { packages } = documentOf(
    scanReport(['a/b', 'a b', 'a-b-2', 'a b'].map((license) => moduleReport('m', { license }))),
  );
  assert.deepEqual(
    packages.slice(1).map(({ licenseDeclared }) => licenseDeclared.replace(/^.*LICENSE-/, '')),
    ['a-b', 'a-b-2', 'a-b-2-2', 'a-b-2'],
  );
});

test('spdxReport() names the distribution package of a module', () => {
  const { packages, relationships } = documentOf(scanReport([refused, liar]));
  assert.deepEqual(
    packages.map(({ name, versionInfo }) => `${name} ${versionInfo}`),
    ['linux-image-6.12.118 6.12.118-1', 'refused 4.2', 'liar undefined'],
  );
  assert.deepEqual(
    relationships.filter((each) => each.relationshipType === 'CONTAINS'),
    [
      {
        spdxElementId: 'SPDXRef-Package-linux-image-6.12.118-6.12.118-1',
        relationshipType: 'CONTAINS',
        relatedSpdxElement: 'SPDXRef-Module-refused',
      },
    ],
  );
});

test('spdxReport() annotates a module with its trust level, verdict and evidence', () => {
  const { packages } = documentOf(scanReport([refused, liar]));
  assert.equal(
    packages[1]?.annotations?.[0].comment,
    'Trust level: unsupported\nLoader: refuses (ENOENT), taints P',
  );
  assert.match(
    packages[2]?.annotations?.[0].comment ?? '',
    /^proof: Its license has a NUL in it$/m,
  );
});
