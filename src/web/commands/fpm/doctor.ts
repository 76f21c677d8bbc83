/** The `doctor` report on tenants' PHP-FPM services: nothing if all is as the pool files say. */
import { listSome } from '../../../../packages/base/list.ts';
import type { DoctorReport } from '../../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../../host/entry-paths/entry-paths.ts';
import { failureText } from '../../core/fpm/failures.ts';
import { readFailures } from '../../io/fpm/failures/failures.ts';

const shownMax = 5;

export async function fpmDoctor({
  paths,
}: Pick<EntryPathContext, 'paths'>): Promise<DoctorReport | undefined> {
  const failures = await readFailures(paths);
  if (failures.length === 0) return undefined;
  const text = `${listSome(failures.map(failureText), shownMax)}; see bulkhead web fpm status`;
  return { label: 'PHP-FPM', text, remarks: [] };
}
