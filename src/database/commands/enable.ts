/** `bulkhead db enable`: gives Bulkhead the rights in database servers that it needs, and no others. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import { formatCause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { isPostgresqlSocket } from '../../policy/databases/postgresql-socket.ts';
import { workerAccount } from '../core/rights/enable-sql.ts';
import { findWorkerUser, makeWorkerUser } from '../io/account.ts';
import { readCredentials } from '../io/credentials.ts';
import { enableServer, planServer, type EnableTarget } from '../io/enable.ts';
import { workerObstacle } from '../io/open-server.ts';
import { readOptionFile, writeOptionFile } from '../io/option-file.ts';
import { lockDatabases } from '../io/record-file.ts';
import type { DbEnableJson, DbServerChangeJson } from './json.ts';
import {
  changeServer,
  hasFailed,
  rootPaths,
  serverSockets,
  showServers,
  withServerOptions,
  type ServerOptions,
} from './servers.ts';

interface EnableOptions extends ServerOptions {
  readonly credentials?: string;
}

const action = 'enable the database share';

async function enable(options: EnableOptions, command: Command): Promise<ExitCode> {
  const { socket: named, login, credentials, dryRun = false, json } = options;
  const paths = rootPaths(command, action);
  if (typeof paths === 'number') return paths;
  const sockets = named === undefined ? serverSockets(paths) : [named];
  if (sockets.length === 0)
    return failWith({
      action,
      reason: 'no socket of a database server was found',
      hint: 'start the server, or name its socket: --socket PATH',
    });
  const password = passwordIn(credentials);
  if (!password.ok) return failWith(password.error);
  const lock = dryRun ? ok(undefined) : lockDatabases(paths);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  const host = await prepareHost(paths, dryRun);
  if (!host.ok) return failWith(host.error);
  const servers: DbServerChangeJson[] = [];
  for (const socket of sockets)
    servers.push(
      await changeServer(socket, login, async (connection) => {
        const target = { paths, socket, connection, ...password.value };
        const done = await (dryRun ? planServer : enableServer)(target);
        if (!done.ok) return done;
        const { steps, remarks } = done.value;
        const more = dryRun ? [] : await loginRemarks(paths, target);
        return ok({ steps: steps.map(({ text }) => text), remarks: [...remarks, ...more] });
      }),
    );
  const result: DbEnableJson = { ...host.value, servers, dryRun };
  if (json === true) printJson(result);
  else show(result);
  return hasFailed(servers) ? exitCodes.failed : exitCodes.done;
}

/** Returns the worker's password, for servers in which it cannot log in by its process. */
function passwordIn(file: string | undefined): Result<{ readonly password?: string }, Problem> {
  if (file === undefined) return ok({});
  const read = readCredentials(file);
  if (!read.ok) return read;
  const { user, password } = read.value;
  if (user === workerAccount) return ok({ password });
  const reason = `its user is not "${workerAccount}"`;
  return fail({ action: 'use the login in', object: file, reason });
}

/** Tries the worker's login where the server's files decide who may log in, and its tables do not show it. */
async function loginRemarks(
  paths: Paths,
  { socket, password }: EnableTarget,
): Promise<readonly string[]> {
  const worker = findWorkerUser(paths);
  if (!isPostgresqlSocket(socket) || password !== undefined || !worker.ok || !worker.value)
    return [];
  const obstacle = await workerObstacle(socket, worker.value);
  return obstacle === undefined
    ? []
    : [`"${workerAccount}" cannot log in yet: ${formatCause(obstacle)}`];
}

/** Makes the user and the option file, except in a dry run. Returns what was missing. */
async function prepareHost(
  paths: Paths,
  dryRun: boolean,
): Promise<Result<Pick<DbEnableJson, 'user' | 'optionFile'>, Problem>> {
  const user = findWorkerUser(paths);
  if (!user.ok) return user;
  const file = readOptionFile(paths);
  if (!file.ok) return file;
  const { path, isThere } = file.value;
  const state = {
    user: { name: workerAccount, missing: user.value === undefined },
    optionFile: { path: path ?? null, missing: path !== undefined && !isThere },
  };
  if (dryRun) return ok(state);
  const made = await makeWorkerUser(paths);
  if (!made.ok) return made;
  const written = writeOptionFile(paths);
  return written.ok ? ok(state) : written;
}

function show({ user, optionFile, servers, dryRun }: DbEnableJson): void {
  if (user.missing) print(`makes the system user ${user.name}, which cannot log in`);
  if (optionFile.path === null)
    print(
      'Note: the configuration of servers includes no directory that only root can change; add "userstat = 1" to it',
    );
  else if (optionFile.missing)
    print(
      `writes ${optionFile.path}: MariaDB servers count what each account uses from their next start`,
    );
  showServers(servers);
  if (!dryRun && !hasFailed(servers))
    print('Set limits in the policy: <database connections="20" statement="30s"/>');
}

export const command: CommandModule = {
  define(command, run) {
    withServerOptions(command)
      .option(
        '--credentials <file>',
        'a file with the password for bulkhead-db that only root can read, for servers without unix_socket',
      )
      .addHelpText(
        'after',
        examples(
          ['bulkhead db enable --dry-run', 'print each change'],
          ['bulkhead db enable', 'all database servers of this host; can be repeated'],
          ['bulkhead db enable --login /root/.my.cnf', 'if root needs a password'],
        ),
      )
      .action(run(enable));
  },
};
