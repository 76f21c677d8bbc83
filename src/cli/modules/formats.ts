/** The formats of a scan, for people and for other tools. */
import { once } from 'node:events';
import { csvReport } from '../../modules/reports/csv.ts';
import { cyclonedxReport } from '../../modules/reports/cyclonedx.ts';
import { jsonReport } from '../../modules/reports/json.ts';
import type { Imprint, ScanReport } from '../../modules/reports/report.ts';
import { sarifReport } from '../../modules/reports/sarif.ts';
import { spdxReport } from '../../modules/reports/spdx.ts';

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

/** In pieces: a document of thousands of modules need not be in memory as a whole. */
export async function writeReport(
  report: ScanReport,
  format: keyof typeof writers,
  imprint: Imprint,
): Promise<void> {
  for (const piece of writers[format](report, imprint)) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}
