/** Reports limits on database servers in `doctor`. */
import { count } from '../../../packages/base/list.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { databaseLimits } from '../core/database-limits.ts';
import { databaseRemarks } from './remarks.ts';

export function databaseDoctor({
  paths,
  policy,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  const limited = policy === undefined ? 0 : databaseLimits(policy).size;
  if (policy === undefined || limited === 0) return Promise.resolve(undefined);
  const text = `${count(limited, 'tenant')} with limits`;
  return Promise.resolve({ label: 'Databases', text, remarks: databaseRemarks(paths, policy) });
}
