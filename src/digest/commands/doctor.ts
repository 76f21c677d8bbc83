/** Reports digests in `doctor`: whether there are any, and what is wrong with their texts. */
import { count } from '../../../packages/base/list.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { readEntries } from '../io/ledger.ts';
import { dayMilliseconds } from '../core/forecast.ts';
import { textProblems } from '../io/read-texts.ts';

export function digestDoctor({
  paths,
  policy,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  const digests = policy?.agent.alerts.digests;
  if (policy === undefined || digests === undefined) return Promise.resolve(undefined);
  const read = readEntries(paths);
  const recent = read.ok
    ? read.value.filter(({ at }) => Date.now() - at < 8 * dayMilliseconds)
    : [];
  const sent = recent.filter(({ state }) => state === 'sent').length;
  const lost = recent.filter(({ state }) => state === 'given up').length;
  const text = read.ok
    ? `${count(sent, 'message')} sent in eight days${lost === 0 ? '' : `, ${lost} given up`}`
    : `unknown: ${read.error.reason}`;
  return Promise.resolve({ label: 'Digests', text, remarks: textProblems(paths, policy.agent) });
}
