/** Reports applications in `doctor`. */
import { existsSync } from 'node:fs';
import { count } from '../../../packages/base/list.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { appStates } from '../../policy/apps/app-state.ts';
import { serverPrograms } from '../core/database-server.ts';
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
    text: `${whatOf(apps)}: ${parts.join(', ')}; see bulkhead app status`,
    remarks: [
      ...(groupNote === undefined ? [] : [groupNote]),
      ...databaseRemarks(apps),
      ...plan.unreadable.map((each) => printable(formatProblem(each))),
      ...apps.filter(({ state }) => state === 'crash loop').map(remarkOf),
    ],
  };
}

/** Returns for example `3 applications and 1 database server of tenants' own`. */
function whatOf(apps: readonly SeenApp[]): string {
  const databases = apps.filter(({ app }) => app.isDatabase === true).length;
  const others = apps.length - databases;
  return [
    ...(others > 0 || databases === 0 ? [count(others, 'application')] : []),
    ...(databases > 0 ? [`${count(databases, 'database server')} of tenants' own`] : []),
  ].join(' and ');
}

/** Each start fails if the program is missing, and only the tenant's log shows why. */
function databaseRemarks(apps: readonly SeenApp[]): readonly string[] {
  const isWanted = apps.some(({ app }) => app.isDatabase === true);
  if (!isWanted || serverPrograms.some((each) => existsSync(each))) return [];
  return [
    "Tenants have database servers of their own, and MariaDB's server is not installed; install mariadb-server-core, or mariadb-server",
  ];
}

const remarkOf = (seen: SeenApp): string =>
  printable(
    `Application ${fullName(seen)} is not started for some minutes: ${seen.reason ?? 'started too often'}`,
  );
