/** The formats of a scan, for people and for other tools. */
import { once } from 'node:events';
import { csvReport } from '../../../packages/modules/core/reports/csv-report.ts';
import { cyclonedxReport } from '../../../packages/modules/core/reports/cyclonedx.ts';
import { jsonReport } from '../../../packages/modules/core/reports/json-report.ts';
import type { Imprint, ScanReport } from '../../../packages/modules/core/reports/report.ts';
import { sarifReport } from '../../../packages/modules/core/reports/sarif.ts';
import { spdxReport } from '../../../packages/modules/core/reports/spdx.ts';

export const formatNames = ['table', 'json', 'csv', 'sarif', 'spdx', 'cyclonedx'] as const;
export type Format = (typeof formatNames)[number];

type Writer = (report: ScanReport, imprint: Imprint) => Iterable<string>;

const writers: Readonly<Record<Exclude<Format, 'table'>, Writer>> = {
  csv: csvReport,
  sarif: sarifReport,
  spdx: spdxReport,
  cyclonedx: cyclonedxReport,
  json: jsonReport,
};

/**
 * Writes the report in pieces: a document of thousands of modules need not be in memory as a whole.
 */
export async function writeReport(
  report: ScanReport,
  format: keyof typeof writers,
  imprint: Imprint,
): Promise<void> {
  for (const piece of writers[format](report, imprint)) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}
