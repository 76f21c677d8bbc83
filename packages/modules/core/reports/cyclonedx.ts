/**
 * A CycloneDX 1.6 bill of materials in JSON: one component a module.
 *
 * The type is `library`, which the specification recommends when no other fits: many modules drive
 * no device. Data without a field in the format goes into properties `bulkhead:…`. Source:
 * CycloneDX Specification 1.6 (ECMA-424).
 */
import { expressionOf } from './declared-license.ts';
import { items, jsonDocument } from './json-pieces.ts';
import type { Imprint, ModuleReport, ScanReport } from './report.ts';
import { identifiers } from './unique.ts';

export function cyclonedxReport(report: ScanReport, imprint: Imprint): Generator<string> {
  const { release, machine, exportsFrom } = report.kernel;
  return jsonDocument({
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${imprint.serial}`,
    version: 1,
    metadata: {
      timestamp: imprint.createdIso,
      tools: {
        components: [{ type: 'application', name: 'bulkhead', version: imprint.toolVersion }],
      },
      component: {
        'bom-ref': 'kernel',
        type: 'operating-system',
        name: 'linux',
        version: release,
        properties: [
          { name: 'bulkhead:machine', value: machine },
          { name: 'bulkhead:exportsFrom', value: exportsFrom },
        ],
      },
    },
    components: items(components(report.modules)),
  });
}

function* components(modules: readonly ModuleReport[]): Generator<object> {
  const identify = identifiers();
  for (const each of modules) yield component(each, `module-${identify(each.name)}`);
}

function component(module: ModuleReport, id: string) {
  const licenses = licensesOf(module.license);
  return {
    'bom-ref': id,
    type: 'library',
    name: module.name,
    ...(module.version === null ? {} : { version: module.version }),
    hashes: [{ alg: 'SHA-256', content: module.sha256 }],
    ...(licenses === undefined ? {} : { licenses }),
    evidence: { occurrences: [{ location: module.file }] },
    properties: [...properties(module)],
  };
}

function licensesOf(license: string | null): readonly object[] | undefined {
  if (license === null) return undefined;
  const acknowledgement = 'declared';
  const expression = expressionOf(license);
  if (expression === undefined) return [{ license: { name: license, acknowledgement } }];
  if (expression.includes(' ') || expression.startsWith('LicenseRef-'))
    return [{ expression, acknowledgement }];
  return [{ license: { id: expression, acknowledgement } }];
}

function* properties(module: ModuleReport): Generator<{ name: string; value: string }> {
  const { loader } = module;
  const facts: readonly (readonly [name: string, value: string | null])[] = [
    ['trustLevel', module.trustLevel],
    ['loader:result', loader.result],
    ['loader:errno', loader.errnoName],
    ['loader:taints', loader.taints === '' ? null : loader.taints],
    ['loader:taintsUnlessTrusted', loader.taintsUnlessTrusted || null],
    ['license', module.license],
    ['signature', module.signature],
    ['signer', module.signer],
    ['srcversion', module.srcversion],
    ['buildId', module.buildId],
    ['machine', module.machine],
    ['package', module.package],
    ['deniedReason', module.deniedReason],
    ['accepted', module.accepted === null ? null : String(module.accepted)],
    ['undecidedReason', module.undecidedReason],
  ];
  for (const [name, value] of facts) {
    if (value !== null) yield { name: `bulkhead:${name}`, value };
  }
  for (const { check, weight, message } of module.evidence)
    yield { name: `bulkhead:evidence:${weight}:${check}`, value: message };
  for (const symbol of module.gplOnly) yield { name: 'bulkhead:gplOnly', value: symbol };
}
