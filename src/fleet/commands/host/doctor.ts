/** Reports the host's state in its fleet in `doctor`. */
import { formatProblem } from '../../../../packages/base/problem.ts';
import { briefly, callAgent } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import type { DoctorReport } from '../../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../../host/entry-paths/entry-paths.ts';
import { fleetDirectoryOf } from '../../../host/paths.ts';
import { alarmOf } from '../../core/alarms.ts';
import { HostStore } from '../../io/host-store.ts';
import { describeRelease } from './describe.ts';

/** Only on hosts in a fleet. */
export async function fleetDoctor({ paths }: EntryPathContext): Promise<DoctorReport | undefined> {
  if (!new HostStore(fleetDirectoryOf(paths)).exists()) return undefined;
  const label = 'Fleet';
  const asked = await callAgent<FleetResponse>(paths, '/v1/fleet', {}, briefly);
  if (!asked.ok) return { label, text: `unknown: ${formatProblem(asked.error)}`, remarks: [] };
  const { state, release, host, fleet, problems } = asked.value;
  const alarm = alarmOf(asked.value);
  const name = fleet === undefined ? '' : `"${host}" of "${fleet}", `;
  const text = `${name}${release === undefined ? state : describeRelease(release)}`;
  const remarks =
    alarm === undefined ? [] : [`${alarm.title}: ${alarm.text.replaceAll('\n', ' ')}`];
  return { label, text, remarks: [...remarks, ...problems] };
}
