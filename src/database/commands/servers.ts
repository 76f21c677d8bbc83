/** The steps that commands share which change servers, as root: paths, sockets, a connection to each, and the output. */
import { lstatSync } from 'node:fs';
import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, pathsFor, print, printError } from '../../cli/shared/output.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { findDatabases } from '../../host/databases/find.ts';
import type { Paths } from '../../host/paths.ts';
import type { DatabaseConnection } from '../io/client/connect.ts';
import { readCredentials } from '../io/credentials.ts';
import { connectForRoot } from '../io/open-server.ts';
import type { DbServerChangeJson } from './json.ts';

export interface ServerOptions {
  readonly socket?: string;
  /** The file with an administrator's login. */
  readonly login?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** A change of accounts may wait for a backup that has locked them. */
const replyMilliseconds = 30_000;

export const withServerOptions = (command: Command): Command =>
  command
    .option('--socket <path>', 'the socket of one server (default: all)')
    .option(
      '--login <file>',
      "a file with an administrator's user and password that only root can read (default: root, by its process)",
    )
    .option('--dry-run', 'print what would be done; changes nothing')
    .option('--json', 'print as JSON');

/** Returns the paths of this host, or the exit code after the reason has been printed. */
export function rootPaths(command: Command, action: string): Paths | ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  return process.geteuid?.() === 0
    ? paths
    : failWith({ action, reason: 'only root may', hint: 'run it as root' });
}

/** Returns the sockets of the database servers of this host that are there. */
export const serverSockets = (paths: Paths): readonly string[] =>
  findDatabases(paths)
    .filter(({ at }) => isSocket(at))
    .map(({ at }) => at);

/** A link leads to a socket that has a path of its own, and is not followed. */
function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    return false;
  }
}

type Change = Pick<DbServerChangeJson, 'steps' | 'remarks'>;

/** Connects as an administrator, and changes the server. A failure is part of the answer: other servers follow. */
export async function changeServer(
  socket: string,
  login: string | undefined,
  change: (connection: DatabaseConnection) => Promise<Result<Change, Problem>>,
): Promise<DbServerChangeJson> {
  const failure = (error: Problem) => ({
    socket,
    steps: [],
    remarks: [],
    problem: formatProblem(error),
  });
  const connection = await connectAsAdministrator(socket, login);
  if (!connection.ok) return failure(connection.error);
  try {
    const done = await change(connection.value);
    if (!done.ok) return failure(done.error);
    const { steps, remarks } = done.value;
    return { socket, steps, remarks, problem: null };
  } finally {
    connection.value.close();
  }
}

export async function connectAsAdministrator(
  socket: string,
  file: string | undefined,
): Promise<Result<DatabaseConnection, Problem>> {
  const login = file === undefined ? ok({ user: 'root' }) : readCredentials(file);
  if (!login.ok) return login;
  const opened = await connectForRoot(socket, login.value, { replyMilliseconds });
  if (opened.ok || opened.error.code === undefined || file !== undefined) return opened;
  const hint = 'pass a file with the login of an administrator: --login FILE';
  return fail({ ...opened.error, hint });
}

export function showServers(servers: readonly DbServerChangeJson[]): void {
  for (const { socket, steps, remarks, problem } of servers) {
    if (problem !== null) {
      printError(problem);
      continue;
    }
    print(`${socket}${steps.length === 0 ? ': nothing to do' : ''}`);
    for (const each of steps) print(`  ${each}`);
    for (const each of remarks) print(`  Note: ${each}`);
  }
}

export const hasFailed = (servers: readonly DbServerChangeJson[]): boolean =>
  servers.some(({ problem }) => problem !== null);
