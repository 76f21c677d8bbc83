/**
 * An SPDX 2.3 document in JSON: one package a module, and one for every distribution package that
 * modules came in.
 *
 * A module is a `Package` of purpose FILE and not a `File`, because a `File` must carry a SHA-1.
 * Its declared license is `licenseDeclared`; nothing is concluded (`NOASSERTION`), for a tag is
 * only a claim. Its trust level and the loader's verdict are an annotation. Source: SPDX
 * Specification 2.3, clauses 6 to 12 and annex D.
 */
import { expressionOf, ownReferences, referencesIn } from './declared-license.ts';
import { items, jsonDocument } from './json-pieces.ts';
import { taintsInWords, type Imprint, type ModuleReport, type ScanReport } from './report.ts';
import { identifiers } from './unique.ts';

const document = 'SPDXRef-DOCUMENT';
const unknown = 'NOASSERTION';

/** Names of one document, given once before it is written, since its parts refer to each other. */
interface Index {
  /** Identifiers in the order of the report's modules. */
  readonly modules: readonly string[];
  /** Package of the distribution → its identifier. */
  readonly packages: ReadonlyMap<string, string>;
  /** Text of a license that has no SPDX expression → its reference. */
  readonly licenses: ReadonlyMap<string, string>;
}

export function spdxReport(report: ScanReport, imprint: Imprint): Generator<string> {
  const index = indexOf(report.modules);
  // The format has no fractions of a second.
  const created = imprint.createdIso.replace(/\.\d+Z$/, 'Z');
  return jsonDocument({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: document,
    name: `Kernel modules for Linux ${report.kernel.release}`,
    documentNamespace: imprint.documentNamespace,
    creationInfo: { created, creators: [toolOf(imprint)] },
    packages: items(packages(report.modules, index, { ...imprint, createdIso: created })),
    hasExtractedLicensingInfos: items(extractedLicenses(report.modules, index)),
    relationships: items(relationships(report.modules, index)),
  });
}

const toolOf = ({ toolVersion }: Imprint) => `Tool: bulkhead-${toolVersion}`;

function indexOf(modules: readonly ModuleReport[]): Index {
  const [identifyModule, identifyPackage, identifyLicense] = [
    identifiers(),
    identifiers(),
    identifiers(),
  ];
  const packages = new Map<string, string>();
  const licenses = new Map<string, string>();
  for (const { package: name, license } of modules) {
    if (name !== null && !packages.has(name))
      packages.set(name, `SPDXRef-Package-${identifyPackage(name)}`);
    if (license === null || licenses.has(license) || expressionOf(license) !== undefined) continue;
    licenses.set(license, `LicenseRef-MODULE-LICENSE-${identifyLicense(license)}`);
  }
  return {
    modules: modules.map(({ name }) => `SPDXRef-Module-${identifyModule(name)}`),
    packages,
    licenses,
  };
}

function* packages(
  modules: readonly ModuleReport[],
  index: Index,
  imprint: Imprint,
): Generator<object> {
  for (const [name, id] of index.packages) yield distributionPackage(name, id);
  for (const [at, each] of modules.entries())
    yield modulePackage(each, index.modules[at] ?? '', index, imprint);
}

/**
 * Returns the distribution package; in `linux-image-6.12 6.12.118-1` the version is the last word.
 */
function distributionPackage(nameAndVersion: string, id: string) {
  const blank = nameAndVersion.lastIndexOf(' ');
  const name = blank > 0 ? nameAndVersion.slice(0, blank) : nameAndVersion;
  const version = blank > 0 ? nameAndVersion.slice(blank + 1) : undefined;
  return {
    SPDXID: id,
    name,
    ...(version === undefined ? {} : { versionInfo: version }),
    downloadLocation: unknown,
    filesAnalyzed: false,
    primaryPackagePurpose: 'INSTALL',
    licenseConcluded: unknown,
    licenseDeclared: unknown,
    copyrightText: unknown,
  };
}

function modulePackage(module: ModuleReport, id: string, index: Index, imprint: Imprint) {
  return {
    SPDXID: id,
    name: module.name,
    ...(module.version === null ? {} : { versionInfo: module.version }),
    packageFileName: module.file,
    downloadLocation: unknown,
    filesAnalyzed: false,
    primaryPackagePurpose: 'FILE',
    checksums: [{ algorithm: 'SHA256', checksumValue: module.sha256 }],
    licenseConcluded: unknown,
    licenseDeclared: declared(module.license, index),
    licenseComments: comments(module.license),
    copyrightText: unknown,
    annotations: [
      {
        annotationDate: imprint.createdIso,
        annotationType: 'OTHER',
        annotator: toolOf(imprint),
        comment: judgement(module),
      },
    ],
  };
}

/**
 * Returns the declared license; `NONE` is the format's word for a file without license information.
 */
function declared(license: string | null, { licenses }: Index): string {
  if (license === null) return 'NONE';
  return expressionOf(license) ?? licenses.get(license) ?? unknown;
}

function comments(license: string | null): string {
  if (license === null) return 'The module has no MODULE_LICENSE';
  return `The module claims MODULE_LICENSE("${license}"); the tag cannot express "or later" and is not a proof`;
}

function judgement({ trustLevel, loader, evidence }: ModuleReport): string {
  const taints = taintsInWords(loader);
  const tainting = taints === '' ? '' : `, taints ${taints}`;
  const verdict = loader.result === 'load' ? 'loads' : `refuses (${loader.errnoName})`;
  const checks = evidence.map(({ weight, message }) => `${weight}: ${message}`);
  return [`Trust level: ${trustLevel}`, `Loader: ${verdict}${tainting}`, ...checks].join('\n');
}

function* extractedLicenses(
  modules: readonly ModuleReport[],
  { licenses }: Index,
): Generator<object> {
  const used = new Set(modules.flatMap(({ license }) => referencesIn(tagExpression(license))));
  for (const [licenseId, extractedText] of ownReferences) {
    if (used.has(licenseId)) yield { licenseId, extractedText, name: unknown };
  }
  for (const [text, licenseId] of licenses) {
    yield { licenseId, extractedText: `MODULE_LICENSE("${text}")`, name: text || unknown };
  }
}

const tagExpression = (license: string | null) =>
  license === null ? '' : (expressionOf(license) ?? '');

function* relationships(modules: readonly ModuleReport[], index: Index): Generator<object> {
  for (const [at, each] of modules.entries()) {
    const relatedSpdxElement = index.modules[at];
    yield { spdxElementId: document, relationshipType: 'DESCRIBES', relatedSpdxElement };
    const holder = each.package === null ? undefined : index.packages.get(each.package);
    if (holder !== undefined)
      yield { spdxElementId: holder, relationshipType: 'CONTAINS', relatedSpdxElement };
  }
}
