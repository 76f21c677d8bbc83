/** The report itself as JSON: exactly `ScanReport`, one module a line. */
import { items, jsonDocument } from './json-pieces.ts';
import type { ScanReport } from './report.ts';

export function jsonReport(report: ScanReport): Generator<string> {
  const { version, kernel, modules, problems, counts } = report;
  return jsonDocument({
    version,
    kernel: { ...kernel },
    counts: { ...counts, trustLevels: { ...counts.trustLevels } },
    modules: items(modules),
    problems: items(problems),
  });
}
