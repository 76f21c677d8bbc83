/** Reports stopped tenants in `doctor`. */
import { unreadable } from '../../../packages/base/io/read.ts';
import { listSome } from '../../../packages/base/list.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import { readStops, stopDirectory } from '../../host/stops.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';

export function stopDoctor({ paths }: EntryPathContext): Promise<DoctorReport> {
  const label = 'Stopped';
  const unread = unreadable(stopDirectory(paths));
  if (unread !== undefined)
    return Promise.resolve({ label, text: `unknown: ${formatCause(unread)}`, remarks: [] });
  const stops = [...readStops(paths).values()];
  const names = stops.map(({ uid, user }) => (user === '' ? `uid ${uid}` : user));
  const text =
    names.length === 0
      ? 'no tenant is stopped'
      : `${listSome(names, 10)}; "bulkhead start NAME" lets one run again`;
  return Promise.resolve({ label, text, remarks: [] });
}
