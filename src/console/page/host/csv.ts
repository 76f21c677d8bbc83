/**
 * Tenants as a CSV file for a spreadsheet (RFC 4180): UTF-8 with a mark that says so, CRLF, and numbers without unit,
 * grouping or language. A number that is not known, and a limit that there is not, are empty cells.
 *
 *     "Tenant","uid",…,"CPU used (% of a core)","CPU limit (% of a core)",…
 *     "alice",1001,…,12.5,100,…
 */
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import { limitWords, numbers } from '../state/language.ts';
import type { LiveMember } from '../state/live.ts';
import { measureMetric } from '../state/measures.ts';
import { words } from './words.ts';

type Cell = string | number | undefined;

const columns = [
  'cpu',
  'anonymous',
  'cache',
  'read',
  'write',
  'total',
  'threads',
  'databaseCpu',
  'databaseConnections',
  'sent',
  'received',
] as const;

/** Returns the file; usage is left out where no tick has come yet. */
export function tenantsCsv(tenants: readonly LiveMember[], isMeasured: boolean): string {
  const lines = [headings(), ...tenants.map((each) => cellsOf(each, isMeasured))];
  return `\u{FEFF}${lines.map((line) => `${line.map(csvCell).join(',')}\r\n`).join('')}`;
}

function headings(): readonly Cell[] {
  const { csv } = words.value.tenantsPage;
  const measures = columns.flatMap((key) => {
    const unit = csv.units[metrics[key].unit];
    return [csv.used(csv.metrics[key], unit), csv.limit(csv.metrics[key], unit)];
  });
  const { tenant, uid, reseller, package: given, stopped, limitsHit, faults } = csv;
  return [tenant, uid, reseller, given, stopped, ...measures, limitsHit, faults];
}

function cellsOf(member: LiveMember, isMeasured: boolean): readonly Cell[] {
  const { who, limitsHit, faults } = member;
  const { csv } = words.value.tenantsPage;
  const measures = columns.flatMap((key) => {
    const { used, limit } = measureMetric(member, key);
    return [isMeasured ? amount(key, used) : undefined, limit && amount(key, limit)];
  });
  const about = [who.name, who.uid, who.reseller, who.package, who.stopped && csv.yes];
  const hits = isMeasured ? [numbers.value.list(limitsHit.map(limitWords)), faults] : ['', ''];
  return [...about, ...measures, ...hits];
}

/** Returns a fraction as a percentage with one digit, and everything else as a whole number. */
const amount = (key: MetricKey, value: number) =>
  metrics[key].unit === 'fraction' ? Math.round(value * 1000) / 10 : Math.round(value);

/** The first characters that make a spreadsheet read a text as a formula, also in their full-width forms. */
const formula = /^[\s\p{Cc}]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

/** Returns a cell. A text that a spreadsheet would compute gets an apostrophe, which makes it a text. */
export function csvCell(value: Cell): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const safe = formula.test(value) ? `'${value}` : value;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** Gives the browser a file to keep. */
export function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
