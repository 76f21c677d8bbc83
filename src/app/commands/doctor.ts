/** Reports applications in `doctor`. */
import { count } from '../../../packages/base/list.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { appStates } from '../../policy/apps/app-state.ts';
import { knowsApps } from '../io/reconcile.ts';
import { readApps, type SeenApp } from '../io/states.ts';
import { fullName } from './subject.ts';

export async function appDoctor({
  policy,
  paths,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  if (policy === undefined || !knowsApps(policy, paths)) return undefined;
  const label = 'Apps';
  const seen = await readApps(policy, paths);
  if (!seen.ok)
    return { label, text: `unknown: ${printable(formatProblem(seen.error))}`, remarks: [] };
  const { apps, groupNote, plan } = seen.value;
  const parts = appStates.flatMap((state) => {
    const number = apps.filter((each) => each.state === state).length;
    return number === 0 ? [] : [`${number} ${state}`];
  });
  return {
    label,
    text: `${count(apps.length, 'application')}: ${parts.join(', ')}; see bulkhead app status`,
    remarks: [
      ...(groupNote === undefined ? [] : [groupNote]),
      ...plan.unreadable.map((each) => printable(formatProblem(each))),
      ...apps.filter(({ state }) => state === 'crash loop').map(remarkOf),
    ],
  };
}

const remarkOf = (seen: SeenApp): string =>
  printable(
    `Application ${fullName(seen)} is not started for some minutes: ${seen.reason ?? 'started too often'}`,
  );
