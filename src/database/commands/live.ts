/** The steps that `db status`, `db top` and `db accounts` share: root asks each server itself, without the agent. */
import type { Command } from 'commander';
import { policyReaderOf } from '../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import type { Policy } from '../../policy/policy.ts';
import { shownUse, type ShownUse } from '../core/use/shown.ts';
import { accountOwners } from '../io/account-owners.ts';
import { kindOf } from '../io/kinds.ts';
import type { DatabaseServer } from '../io/server.ts';
import { connectAsAdministrator, serverSockets, type ServerOptions } from './servers.ts';

export interface LiveOptions extends Pick<ServerOptions, 'socket' | 'login' | 'json'> {
  readonly policy: string;
}

export const liveCommand = (
  ask: (options: LiveOptions, command: Command) => Promise<ExitCode>,
  ...uses: readonly (readonly [command: string, explanation: string])[]
): CommandModule => ({
  define(command, run) {
    command
      .option('--socket <path>', 'the socket of one server (default: all)')
      .option(
        '--login <file>',
        "a file with an administrator's user and password that only root can read (default: root, by its process)",
      )
      .option('--json', 'print as JSON')
      .addOption(policyOption())
      .addHelpText('after', examples(...uses))
      .action(run(ask));
  },
});

interface Answered {
  readonly problem: string | null;
}

/** Prints what the servers answered; fails if one did not. */
export function showLive<Json extends { readonly servers: readonly Answered[] }>(
  { json }: LiveOptions,
  result: Json,
  textOf: (result: Json) => string,
): ExitCode {
  if (json === true) printJson(result);
  else print(result.servers.length === 0 ? noServers : textOf(result));
  const isWhole = result.servers.every(({ problem }) => problem === null);
  return isWhole ? exitCodes.done : exitCodes.failed;
}

/** Returns the policy; undefined without a valid one, and then accounts are nobody's. */
export async function policyOf(
  command: Command,
  { policy }: LiveOptions,
  paths: Paths,
): Promise<Policy | undefined> {
  return (await policyReaderOf(command)).load(policy, paths).policy;
}

/** Returns what finds the tenant of an account by its name; undefined for an account of nobody. */
export function tenantNames(
  policy: Policy | undefined,
  paths: Paths,
): (account: string, socket: string) => string | undefined {
  if (policy === undefined) return () => undefined;
  const owners = accountOwners(paths, policy);
  const names = new Map(
    policy.tenants.map(({ uid, account }) => [uid, account?.user ?? String(uid)]),
  );
  return (account, socket) =>
    names.get(owners.ownerOf(account, accountKindAt(socket)).tenant ?? -1);
}

export function socketsFor(
  { socket }: LiveOptions,
  policy: Policy | undefined,
  paths: Paths,
): readonly string[] {
  if (socket !== undefined) return [socket];
  const named = policy?.databases?.servers.map((each) => each.socket) ?? [];
  return [...new Set([...named, ...serverSockets(paths)])];
}

/** Opens one server for `use`; returns the problem as text if it does not answer. */
export async function withServer<T>(
  socket: string,
  { login }: LiveOptions,
  use: (server: DatabaseServer) => Promise<T | string>,
): Promise<T | string> {
  const connection = await connectAsAdministrator(socket, login);
  if (!connection.ok) return formatProblem(connection.error);
  try {
    const server = await kindOf(connection.value).open(connection.value);
    return server.ok ? await use(server.value) : formatProblem(server.error);
  } finally {
    connection.value.close();
  }
}

/** Looks twice, `milliseconds` apart. */
export async function useDuring(
  server: DatabaseServer,
  milliseconds: number,
): Promise<ShownUse | string> {
  const first = await server.look();
  if (!first.ok) return formatProblem(first.error);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const second = await server.look();
  if (!second.ok) return formatProblem(second.error);
  // A server that counts lists the account that asks.
  return shownUse(first.value, second.value, second.value.accounts.length > 0);
}

export const noServers = 'No database server was found on this host';
export const percent = (fraction: number | undefined): string =>
  fraction === undefined ? '?' : `${(fraction * 100).toFixed(fraction < 0.1 ? 1 : 0)}%`;
