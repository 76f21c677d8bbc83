/** `bulkhead jail status`: all jails, their processes, and the resources that they use. */
import { docPage } from '../../sys/package-files.ts';
import type { Command } from 'commander';
import { unreadable } from '../../../packages/base/io/read.ts';
import { quantityKinds } from '../../../packages/base/quantity.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import {
  count,
  failWith,
  pathsFor,
  print,
  printError,
  printJson,
} from '../../cli/shared/session.ts';
import { formatMailCount } from '../../cli/shared/format.ts';
import { table, terminalOf, wrap } from '../../cli/shared/terminal.ts';
import { surveyEntryPaths } from '../../cli/shared/entry-paths.ts';
import { readHostFacts } from '../../host/accounts/accounts.ts';
import { siteName } from '../../policy/policy.ts';
import type { Paths } from '../../host/paths.ts';
import type { EntryPathReport, JailFacts } from '../../host/entry-paths/entry-paths.ts';
import { idOf, keyOf, type JailKey } from '../core/jail-key.ts';
import type { JailStateFile } from '../core/state-file.ts';
import { buildElsewhere } from '../io/build-elsewhere.ts';
import type { Cost } from '../io/build/protocol.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { readUnmounted } from '../io/databases/unmounted.ts';
import { formatDatabase, reportDatabases } from '../io/databases/socket.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readMailCount } from '../io/mail-part.ts';
import { readStateFiles } from '../io/state-files.ts';
import { findOccupants } from '../io/occupants.ts';
import {
  isolationOf,
  openWithoutPrograms,
  programsState,
  uidsOf,
  type Isolation,
  type ProgramsState,
} from '../io/programs.ts';
import { formatJailState } from './state-text.ts';
import { capabilitiesOf } from '../../cli/capability.ts';
import type { JailCost, JailRow, JailStatusJson } from './json.ts';

async function status(options: { readonly json?: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const problem = unreadable(jailPathsOf(paths).tenants);
  if (problem !== undefined) return failWith(problem);
  const stateFiles = readStateFiles(jailPathsOf(paths));
  const answer = await buildElsewhere({ kind: 'cost', instance: paths.instance });
  const problems = answer.ok ? answer.value.problems : [answer.error];
  for (const problem of problems) printError(problem);
  const cost = answer.ok ? answer.value.cost : undefined;
  const rows = rowsOf(stateFiles, paths, cost);
  // The driver does not matter here, since only sessions that begin inside are of interest.
  const reports = (
    await surveyEntryPaths(
      capabilitiesOf(command),
      { paths, policy: undefined, driver: 'cgroup2' },
      'quick',
    )
  ).filter(({ jail }) => jail !== undefined);
  const isolation = isolationOf(uidsOf(rows), paths);
  const refused = programsState(paths)?.refused;
  const databases =
    rows.length === 0
      ? []
      : reportDatabases(findDatabases(paths), readUnmounted(jailPathsOf(paths)));
  if (options.json === true) {
    const entryPaths = reports.map(({ entryPath, jail }) => ({ entryPath, ...jail }));
    const { level, reason } = isolation;
    const apart = { level, reason: reason ?? null, refused: refused ?? null };
    printJson({
      jails: rows,
      cost: cost === undefined ? null : costJson(cost),
      entryPaths,
      apart,
      databases,
    } satisfies JailStatusJson);
  } else {
    printRows(rows, stateFiles, cost);
    for (const line of entryPathsLines(reports))
      print(wrap(line, terminalOf(process.stdout).columns));
    if (rows.length > 0) printIsolation(isolation, refused);
    for (const each of databases)
      print(wrap(`Database socket: ${formatDatabase(each)}`, terminalOf(process.stdout).columns));
  }
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

const costJson = ({ mounts: _mounts, ...whole }: Cost): JailCost => whole;

function rowsOf(
  stateFiles: ReadonlyMap<JailKey, JailStateFile>,
  paths: Paths,
  cost: Cost | undefined,
): readonly JailRow[] {
  const { accounts } = readHostFacts(paths, []);
  const users = new Map(accounts.map(({ uid, user }) => [uid, user]));
  const namesOf = (uid: number) =>
    accounts.flatMap((each) => (each.uid === uid ? [each.user] : []));
  const occupants = findOccupants(stateFiles);
  const rows = [...stateFiles].map(
    ([key, { profile, state, reason, filter, landlock, namespace }]): JailRow => {
      const id = idOf(key);
      const mail =
        id.site === undefined ? readMailCount(paths, id.uid, namesOf(id.uid)) : undefined;
      return {
        ...id,
        user: users.get(id.uid),
        profile,
        state,
        ...(reason === undefined ? {} : { reason }),
        filter,
        landlock,
        ...(namespace === undefined ? {} : { namespace }),
        inside: [],
        stale: [],
        outside: [],
        ...occupants.get(key),
        mounts: cost?.mounts.get(key) ?? 0,
        ...(mail !== undefined && { mail }),
      };
    },
  );
  const site = (row: JailRow) => row.site ?? '';
  return rows.sort((a, b) => a.uid - b.uid || (site(a) < site(b) ? -1 : 1));
}

function printRows(
  rows: readonly JailRow[],
  stateFiles: ReadonlyMap<JailKey, JailStateFile>,
  cost: Cost | undefined,
): void {
  if (rows.length === 0) {
    print(`No tenant and no site has a jail; see ${docPage('jail')}`);
    return;
  }
  const { colors, columns } = terminalOf(process.stdout);
  const cells = rows.map((row) => [
    nameOf(row),
    row.profile,
    `${row.inside.length}`,
    `${row.stale.length}`,
    row.site === undefined ? `${row.outside.length}` : '-',
    formatJailState(stateFiles.get(keyOf(row))),
  ]);
  const head = ['TENANT', 'PROFILE', 'INSIDE', 'STALE', 'OUTSIDE', 'STATE'];
  print(table([head.map(colors.dim), ...cells], [2, 3, 4]));
  print('');
  if (cost !== undefined) print(wrap(costText(cost), columns));
  for (const line of mailLines(rows)) print(wrap(line, columns));
  const sum = (key: 'stale' | 'outside') => rows.reduce((all, row) => all + row[key].length, 0);
  if (sum('stale') > 0) print(wrap(staleNote, columns));
  if (sum('outside') > 0) print(wrap(outsideNote, columns));
}

/** Returns a line for each tenant that has sent any. */
const mailLines = (rows: readonly JailRow[]): readonly string[] =>
  rows.flatMap((row) =>
    row.mail?.since === undefined ? [] : [`Mail of ${nameOf(row)}: ${formatMailCount(row.mail)}`],
  );

const nameOf = ({ uid, site, user = `uid ${uid}` }: JailRow) =>
  site === undefined ? user : siteName(user, site);

/**
 * Returns lines about logins: `Entered at login: ssh, su`, and why the other entry paths do not
 * enter the jail.
 */
function entryPathsLines(reports: readonly EntryPathReport[]): readonly string[] {
  const entered = reports
    .filter(({ jail }) => jail?.entered === true)
    .map(({ entryPath }) => entryPath);
  const outside = reports.flatMap(({ entryPath, jail, improve }) =>
    jail?.entered === false
      ? [
          `${notEntered(jail)} by ${entryPath}: ${jail.reason ?? ''}${improve === undefined ? '' : `; ${improve}`}`,
        ]
      : [],
  );
  return entered.length === 0 ? outside : [`Entered at login: ${entered.join(', ')}`, ...outside];
}

function notEntered({ refused, unknown }: JailFacts): string {
  if (refused === true) return 'Refused';
  return unknown === true ? 'Perhaps not entered' : 'Not entered';
}

function printIsolation(
  { level, reason }: Isolation,
  refused: ProgramsState['refused'] | undefined,
): void {
  const { columns } = terminalOf(process.stdout);
  const why = reason === undefined ? '' : `, because ${reason}`;
  print(wrap(`Kept apart from the host by the kernel: ${level}${why}`, columns));
  if (level === 'none') print(wrap(`Open: ${openWithoutPrograms}.`, columns));
  if (refused === undefined) return;
  const counts = Object.entries(refused).map(([kind, number]) => `${kind} ${number}`);
  print(wrap(`Refused since the programs were loaded: ${counts.join(', ')}`, columns));
}

const staleNote =
  'Stale: these processes began before the jail was built again, and see it as it was. They end with their sessions.';
const outsideNote =
  'Outside: these processes have been started neither by "bulkhead exec" nor by a login that enters the jail. They see the host, and through them the tenant does, too.';

function costText({ memoryBytes, hostMounts, namespaces, namespacesMax, mounts }: Cost): string {
  const each = Math.max(0, ...mounts.values());
  const limit = namespacesMax === undefined ? '' : ` of ${namespacesMax} that the kernel allows`;
  return `${count(namespaces, 'namespace')}${limit}, ${count(each, 'mount')} in each; ${quantityKinds.bytes.format(memoryBytes)} of files in memory; ${count(hostMounts, 'mount')} in the host's table`;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead jail status', ''], ['bulkhead jail status --json', 'for a program']),
      )
      .action(run(status));
  },
};
