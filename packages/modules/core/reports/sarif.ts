/**
 * A SARIF 2.1.0 log for code-scanning systems: one result for each finding (see findings.ts), none
 * for a module that deserves no attention.
 *
 * A fingerprint is made of the module's name, the rule, and the number among several such results.
 * A new kernel release with the same finding in the same module keeps it. Files that could not be
 * read are notifications of the run. Source: OASIS, Static Analysis Results Interchange Format
 * Version 2.1.0.
 */
import {
  formatRule,
  findingsOf,
  graver,
  type ReportFinding,
  type FindingLevel,
} from './findings.ts';
import { directoryUri, locate } from './file-uri.ts';
import { items, jsonDocument } from './json-pieces.ts';
import type { Imprint, ModuleReport, ScanProblem, ScanReport } from './report.ts';

const rootName = 'ROOT';

interface Rule {
  readonly index: number;
  readonly level: FindingLevel;
}

export function sarifReport(report: ScanReport, imprint: Imprint): Generator<string> {
  const rules = rulesOf(report.modules);
  return jsonDocument({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Bulkhead',
            version: imprint.toolVersion,
            rules: items(ruleDescriptions(rules)),
          },
        },
        originalUriBaseIds: { [rootName]: { uri: directoryUri(imprint.root) } },
        invocations: [
          {
            executionSuccessful: true,
            endTimeUtc: imprint.createdIso,
            toolExecutionNotifications: items(notifications(report.problems, imprint.root)),
          },
        ],
        properties: { kernel: { ...report.kernel } },
        results: items(results(report.modules, rules, imprint.root)),
      },
    ],
  });
}

/** Returns the rules sorted by name, so that equal findings give equal documents. */
function rulesOf(modules: readonly ModuleReport[]): ReadonlyMap<string, Rule> {
  const levels = new Map<string, FindingLevel>();
  for (const module of modules) {
    for (const { rule, level } of findingsOf(module))
      levels.set(rule, graver(level, levels.get(rule)));
  }
  const sorted = [...levels].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([rule, level], index) => [rule, { index, level }]));
}

function* ruleDescriptions(rules: ReadonlyMap<string, Rule>): Generator<object> {
  for (const [id, { level }] of rules) {
    yield {
      id,
      shortDescription: { text: messageText(formatRule(id)) },
      defaultConfiguration: { level },
    };
  }
}

function* results(
  modules: readonly ModuleReport[],
  rules: ReadonlyMap<string, Rule>,
  root: string,
): Generator<object> {
  const seen = new Map<string, number>();
  for (const module of modules) {
    for (const finding of findingsOf(module)) {
      const key = `${finding.rule}:${module.name}`;
      const number = (seen.get(key) ?? 0) + 1;
      seen.set(key, number);
      const ruleIndex = rules.get(finding.rule)?.index;
      yield { ...result(module, finding, root), ruleIndex, ...fingerprint(key, number) };
    }
  }
}

const fingerprint = (key: string, number: number) => ({
  partialFingerprints: { 'bulkheadModule/v1': `${key}:${number}` },
});

function result(module: ModuleReport, { rule, level, message }: ReportFinding, root: string) {
  return {
    ruleId: rule,
    level,
    message: { text: messageText(message) },
    locations: [{ physicalLocation: { artifactLocation: artifact(module.file, root) } }],
    properties: { module: module.name, trustLevel: module.trustLevel, sha256: module.sha256 },
  };
}

function* notifications(problems: readonly ScanProblem[], root: string): Generator<object> {
  for (const { file, offset, message } of problems) {
    const region = offset === null ? {} : { region: { byteOffset: offset, byteLength: 0 } };
    yield {
      level: 'error',
      message: { text: messageText(message) },
      locations: [{ physicalLocation: { artifactLocation: artifact(file, root), ...region } }],
    };
  }
}

function artifact(file: string, root: string) {
  const { uri, relative } = locate(file, root);
  return relative ? { uri, uriBaseId: rootName } : { uri };
}

/**
 * Escapes a module's text: braces are placeholders and `[text](target)` is a link (§3.11.5,
 * §3.11.6), but here both are plain text.
 */
const messageText = (text: string): string =>
  text.replace(/[{}]/g, '$&$&').replaceAll('](', '\\](');
