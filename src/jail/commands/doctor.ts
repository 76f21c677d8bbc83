/** The `doctor` report on jails. */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { unreadable } from '../../../packages/base/io/read.ts';
import { count } from '../../../packages/base/list.ts';
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { Paths } from '../../host/paths.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import { commandsOf, databasesOf } from '../../policy/jail.ts';
import { keyOf } from '../core/jail-key.ts';
import type { JailTenant } from '../io/build/protocol.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { readUnmounted } from '../io/databases/unmounted.ts';
import { formatDatabase, reportDatabases } from '../io/databases/socket.ts';
import { jailPathsOf, type JailPaths } from '../io/jail-paths.ts';
import { readStateFiles } from '../io/state-files.ts';
import { findOccupants } from '../io/occupants.ts';
import { jailTenants } from '../io/jail-tenants.ts';
import { unknownMailProgram } from '../io/mail-program.ts';
import { isolationOf, openWithoutPrograms, programsState, uidsOf } from '../io/programs.ts';
import { canFilter } from '../io/seccomp.ts';

/** The first kernel with mount_setattr(2), which gives a mount its attributes before it can be seen. */
const kernelMin = [5, 12] as const;

export async function jailDoctor({ paths, policy }: EntryPathContext): Promise<DoctorReport> {
  const label = 'Jail';
  const wanted = policy === undefined ? [] : jailTenants(policy);
  const cause = jailBlocker();
  const problem = cause && formatCause(cause);
  if (wanted.length === 0) {
    const text = problem ?? 'can be built here; no tenant has one in the policy';
    return { label, text, remarks: [] };
  }
  const unread = unreadable(jailPathsOf(paths).tenants);
  if (unread !== undefined) return { label, text: `unknown: ${formatCause(unread)}`, remarks: [] };
  const stateFiles = readStateFiles(jailPathsOf(paths));
  const ready = wanted.filter((each) => stateFiles.get(keyOf(each))?.state === 'ready').length;
  const outside = [...findOccupants(stateFiles).values()].reduce(
    (sum, each) => sum + each.outside.length,
    0,
  );
  const remarks = [
    ...(problem === undefined ? [] : [`Jails: ${problem}, so nothing of their tenants starts`]),
    ...(canFilter()
      ? []
      : [
          'this kernel or processor has no seccomp filter, so processes in jails can use io_uring, unless sysctl forbids it, and make user namespaces where the kernel does not keep jails apart',
        ]),
    ...brokerRemarks(wanted, jailPathsOf(paths)),
    ...mailRemarks(wanted, paths),
    ...databaseRemarks(wanted, paths),
    ...(outside === 0
      ? []
      : [
          `${count(outside, 'process', 'processes')} of tenants with a jail are outside their jail; see bulkhead jail status`,
        ]),
  ];
  const { level, reason = '' } = isolationOf(uidsOf(wanted), paths);
  if (level === 'none')
    remarks.push(`Jails and the host are not kept apart: ${reason}. So ${openWithoutPrograms}.`);
  if (level === 'partial') remarks.push(`Jails and the host are kept apart in part: ${reason}`);
  const tenants = wanted.filter(({ site }) => site === undefined).length;
  const sites = wanted.length - tenants;
  const who = [count(tenants, 'tenant'), ...(sites === 0 ? [] : [count(sites, 'site')])].join(
    ' and ',
  );
  const text = `${who} in the policy, ${ready} ready; kept apart by the kernel: ${level}`;
  return { label, text, remarks };
}

function brokerRemarks(
  wanted: readonly JailTenant[],
  { broker, siteBroker }: JailPaths,
): readonly string[] {
  const commands = new Set(wanted.flatMap(({ jail }) => commandsOf(jail)));
  if (commands.size === 0) return [];
  const names = [...commands].join(' and ');
  if (!existsSync('/usr/bin/perl'))
    return [`${names} do not work in jails: there is no /usr/bin/perl`];
  const directories = new Set(wanted.map(({ site }) => (site === undefined ? broker : siteBroker)));
  if ([...directories].every((each) => existsSync(`${each}/socket`))) return [];
  const how = runsSystemd()
    ? 'install and enable bulkhead-broker.socket'
    : 'the agent runs the broker here, and it does not run';
  return [`${names} do not work in jails, since nobody listens for them: ${how}`];
}

/**
 * Returns remarks on mail. The broker runs a mail program that it does not know only if the kernel
 * refuses what that starts.
 */
function mailRemarks(wanted: readonly JailTenant[], paths: Paths): readonly string[] {
  if (!wanted.some(({ jail }) => commandsOf(jail).includes('sendmail'))) return [];
  const unknown = unknownMailProgram(paths.instance);
  if (unknown === undefined) return [];
  const what = `/usr/sbin/sendmail is ${unknown}, of which Bulkhead does not know whether it starts what a tenant has configured`;
  return programsState(paths) === undefined
    ? [`sendmail does not work in jails: ${what}`]
    : [`${what}; the kernel refuses that, and sendmail works in jails only while it does`];
}

/** Returns remarks on database sockets that programs in jails do not find. */
function databaseRemarks(wanted: readonly JailTenant[], paths: Paths): readonly string[] {
  const shown = new Set(wanted.flatMap(({ jail }) => databasesOf(jail)));
  const sockets = findDatabases(paths).filter(({ kind }) => shown.has(kind));
  return reportDatabases(sockets, readUnmounted(jailPathsOf(paths)))
    .filter(({ reason }) => reason !== undefined)
    .map((each) => `The database socket ${formatDatabase(each)}`);
}

/** Returns why no jail can be built here. */
export function jailBlocker(): Cause | undefined {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const [majorMin, minorMin] = kernelMin;
  const isOld = major < majorMin || (major === majorMin && minor < minorMin);
  return isOld ? { reason: `needs Linux ${kernelMin.join('.')}` } : undefined;
}
