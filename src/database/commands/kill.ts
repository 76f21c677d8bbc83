/** `bulkhead db kill TENANT`: ends the statements, or the connections, of one tenant in every server of this host. */
import type { Command } from 'commander';
import { policyReaderOf } from '../../cli/capability.ts';
import { canAsk, confirm } from '../../cli/confirm.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { count, failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Paths } from '../../host/paths.ts';
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import type { Ending } from '../core/backstops.ts';
import { accountOwners } from '../io/account-owners.ts';
import { endSessions } from '../io/end-sessions.ts';
import { findEndings } from '../io/tenant-sessions.ts';
import type { DatabaseConnection } from '../io/client/connect.ts';
import type { DbKilledJson, DbKillJson } from './json.ts';
import {
  connectAsAdministrator,
  rootPaths,
  serverSockets,
  withServerOptions,
  type ServerOptions,
} from './servers.ts';

interface KillOptions extends ServerOptions {
  readonly policy: string;
  readonly connections?: boolean;
  readonly yes?: boolean;
}

const action = "end a tenant's statements";

async function kill(name: string, options: KillOptions, command: Command): Promise<ExitCode> {
  const paths = rootPaths(command, action);
  if (typeof paths === 'number') return paths;
  if (asks(options) && (options.json === true || !canAsk())) {
    const hint = 'pass --yes, or --dry-run to see what would be ended';
    printError({ action, reason: 'nobody can be asked here', hint });
    return exitCodes.usage;
  }
  const subject = await subjectOf(command, name, options.policy, paths);
  if (typeof subject === 'number') return subject;
  await using servers = await openServers(paths, subject, options);
  const { endings } = servers;
  const isAgreed = !asks(options) || endings.length === 0 || (await agrees(name, endings));
  const done = isAgreed && options.dryRun !== true ? await servers.end() : nothingDone(endings);
  const result: DbKillJson = {
    name: nameOf(subject),
    ended: done.ended,
    over: done.over,
    problems: [...servers.problems, ...done.problems].map(formatProblem),
    dryRun: options.dryRun === true,
  };
  if (options.json === true) printJson(result);
  else show(result, isAgreed);
  return isAgreed && result.problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

const asks = ({ dryRun, yes }: KillOptions): boolean => dryRun !== true && yes !== true;

const nothingDone = (ended: readonly DbKilledJson[]): Done => ({ ended, over: 0, problems: [] });

const nameOf = ({ tenant }: Subject): string => tenant.account?.user ?? String(tenant.uid);

function socketsOf(paths: Paths, { policy }: Subject, { socket }: KillOptions): readonly string[] {
  if (socket !== undefined) return [socket];
  const named = policy.databases?.servers.map((each) => each.socket) ?? [];
  return [...new Set([...named, ...serverSockets(paths)])];
}

interface Subject {
  readonly tenant: Tenant;
  readonly policy: Policy;
}

async function subjectOf(
  command: Command,
  name: string,
  file: string,
  paths: Paths,
): Promise<Subject | ExitCode> {
  const reader = await policyReaderOf(command);
  const read = reader.load(file, paths);
  // A mistake in the file must not get in the way of an emergency.
  const policy = read.policy ?? reader.load(`${paths.state}/policy-in-force.xml`, paths).policy;
  if (policy === undefined) {
    const reason = read.problem?.reason ?? 'it has errors; "bulkhead check" lists them';
    return failWith({ action: 'read the policy', object: file, reason });
  }
  const tenant = policy.tenants.find(
    ({ uid, account }) => account?.user === name || String(uid) === name,
  );
  const reason = `${file} has none of that name`;
  return tenant === undefined
    ? failWith({ action: 'find the tenant', object: name, reason })
    : { tenant, policy };
}

interface OpenServer {
  readonly socket: string;
  readonly connection: DatabaseConnection;
  readonly endings: readonly Ending[];
}

interface OpenServers extends AsyncDisposable {
  readonly endings: readonly DbKilledJson[];
  readonly problems: readonly Problem[];
  readonly end: () => Promise<Done>;
}

interface Done {
  readonly ended: readonly DbKilledJson[];
  readonly over: number;
  readonly problems: readonly Problem[];
}

/** Looks at each server. One that fails is reported, and the others go on. */
async function openServers(
  paths: Paths,
  subject: Subject,
  options: KillOptions,
): Promise<OpenServers> {
  const { tenant, policy } = subject;
  const { login, connections } = options;
  const owners = accountOwners(paths, policy);
  const open: OpenServer[] = [];
  const problems: Problem[] = [];
  for (const socket of socketsOf(paths, subject, options)) {
    const connected = await connectAsAdministrator(socket, login);
    if (!connected.ok) {
      problems.push(connected.error);
      continue;
    }
    const connection = connected.value;
    const kind = accountKindAt(socket);
    const isOwn = (account: string) => owners.ownerOf(account, kind).tenant === tenant.uid;
    const what = connections === true ? 'connection' : 'statement';
    const endings = await findEndings(connection, { tenant: tenant.uid, isOwn, what });
    if (endings.ok) open.push({ socket, connection, endings: endings.value });
    else problems.push(endings.error);
    if (!endings.ok) connection.close();
  }
  return {
    endings: open.flatMap(({ socket, endings }) => endings.map((each) => killed(socket, each))),
    problems,
    async end() {
      const done = await Promise.all(
        open.map(async ({ socket, connection, endings }) => {
          const { ended, ...rest } = await endSessions(connection, endings);
          return { ...rest, ended: ended.map((each) => killed(socket, each)) };
        }),
      );
      return {
        ended: done.flatMap(({ ended }) => ended),
        over: done.reduce((sum, { over }) => sum + over.length, 0),
        problems: done.flatMap((each) => each.problems),
      };
    },
    [Symbol.asyncDispose]() {
      for (const { connection } of open) connection.close();
      return Promise.resolve();
    },
  };
}

const killed = (socket: string, { id, account, what, statement }: Ending): DbKilledJson => ({
  socket,
  id,
  account,
  what,
  statement,
});

const shownMax = 20;

async function agrees(name: string, endings: readonly DbKilledJson[]): Promise<boolean> {
  for (const each of endings.slice(0, shownMax)) print(lineOf(each));
  if (endings.length > shownMax) print(`… and ${endings.length - shownMax} more`);
  return confirm(`End ${wordsFor(endings)} of ${name}?`);
}

const lineOf = ({ id, account, statement }: DbKilledJson) =>
  `${String(id).padStart(10)}  ${printable(account)}  ${printable(statement)}`.trimEnd();

const wordsFor = (endings: readonly DbKilledJson[]) =>
  count(endings.length, endings[0]?.what ?? 'statement');

function show({ name, ended, over, problems, dryRun }: DbKillJson, isAgreed: boolean): void {
  for (const each of problems) printError(each);
  if (!isAgreed) return print('Nothing was ended');
  if (dryRun) for (const each of ended) print(lineOf(each));
  const late = over === 0 ? '' : `; ${over} were over by then`;
  const were = ended.length === 1 ? 'was' : 'were';
  print(`${wordsFor(ended)} of ${name} ${dryRun ? 'would be' : were} ended${late}`);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a tenant, by name or uid');
    withServerOptions(command)
      .addOption(policyOption())
      .option('--connections', 'end its connections, too, also idle ones')
      .option('-y, --yes', 'do not ask')
      .addHelpText(
        'after',
        examples(
          ['bulkhead db kill alice --dry-run', 'the statements that she runs'],
          ['bulkhead db kill alice', 'end them; her programs can go on'],
          ['bulkhead db kill alice --connections --yes', 'end everything, without a question'],
        ),
      )
      .action(run(kill));
  },
};
