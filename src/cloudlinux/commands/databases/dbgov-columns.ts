/**
 * The columns of `lveinfo --dbgov`, the use of database servers:
 *
 *     TS USER CPU READ WRITE CON lCPU lREAD lWRITE RESTRICT
 *
 * What servers read and write for a tenant is not measured, so these columns are blank. RESTRICT is `C` if the tenant
 * was held at its limit on CPU.
 */
import { dateTime } from '../../../cli/shared/format.ts';
import { accountOf } from '../../core/lve-info.ts';
import { databaseAverages, type DatabaseAverages } from '../../core/lve-usage.ts';
import type { Column, Criterion, InfoRow } from '../info-columns.ts';

const column = (
  name: string,
  unit: Column['unit'],
  aliases: readonly string[],
  value: Column['value'],
): Column => ({ name, unit, aliases: [name.toLowerCase(), ...aliases], value });

const average = (of: (averages: DatabaseAverages) => number | undefined) => (row: InfoRow) =>
  of(databaseAverages(row));
const notMeasured = () => undefined;

const idColumn = column('ID', 'text', [], ({ usage }) => String(usage.uid));

export const dbgovColumns: readonly Column[] = [
  column('TS', 'text', [], ({ period }) => dateTime(period.to)),
  column('USER', 'text', ['username'], ({ usage }) => accountOf(usage) ?? String(usage.uid)),
  column(
    'CPU',
    'percent',
    ['sum_cpu'],
    average(({ cpu }) => cpu),
  ),
  column('READ', 'bytesPerSecond', [], notMeasured),
  column('WRITE', 'bytesPerSecond', [], notMeasured),
  column(
    'CON',
    'number',
    [],
    average(({ connections }) => connections),
  ),
  column(
    'lCPU',
    'percent',
    [],
    average(({ cpuLimit }) => cpuLimit),
  ),
  column('lREAD', 'bytesPerSecond', [], notMeasured),
  column('lWRITE', 'bytesPerSecond', [], notMeasured),
  column('RESTRICT', 'text', [], (row) => (databaseAverages(row).faults > 0 ? 'C' : '')),
];

export const allDbgovColumns: readonly Column[] = [...dbgovColumns, idColumn];

export const dbgovUsageCriteria: readonly Criterion[] = [
  { name: 'CPU', aliases: ['cpu', 'sum_cpu'], value: average(({ share }) => share) },
];
export const dbgovFaultCriteria: readonly Criterion[] = [
  { name: 'RESTRICT', aliases: ['restrict', 'any', 'cpu'], value: average(({ faults }) => faults) },
];
