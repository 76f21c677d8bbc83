/** `bulkhead db accounts`: the accounts of database servers, and whose each is. */
import type { Command } from 'commander';
import type { ExitCode } from '../../cli/shared/command.ts';
import { table } from '../../cli/shared/terminal.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Paths } from '../../host/paths.ts';
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import type { Policy } from '../../policy/policy.ts';
import { formatOwnerReason } from '../core/accounts.ts';
import type { ServerAccount } from '../core/connection-numbers.ts';
import { accountOwners } from '../io/account-owners.ts';
import { readAccounts } from '../io/connection-numbers.ts';
import type { DbAccountJson, DbAccountsJson, DbAccountsServerJson } from './json.ts';
import {
  liveCommand,
  policyOf,
  showLive,
  socketsFor,
  tenantNames,
  withServer,
  type LiveOptions,
} from './live.ts';
import { rootPaths } from './servers.ts';

async function accounts(options: LiveOptions, command: Command): Promise<ExitCode> {
  const paths = rootPaths(command, 'ask database servers');
  if (typeof paths === 'number') return paths;
  const policy = await policyOf(command, options, paths);
  const servers: DbAccountsServerJson[] = [];
  for (const socket of socketsFor(options, policy, paths)) {
    const found = await withServer(socket, options, async ({ connection }) => {
      const read = await readAccounts(connection, 'root');
      return read.ok ? rowsOf(read.value, socket, policy, paths) : formatProblem(read.error);
    });
    servers.push(
      typeof found === 'string'
        ? { socket, accounts: [], problem: found }
        : { socket, accounts: found, problem: null },
    );
  }
  const result: DbAccountsJson = { servers };
  return showLive(options, result, () => servers.map(textOf).join('\n\n'));
}

function rowsOf(
  found: readonly ServerAccount[],
  socket: string,
  policy: Policy | undefined,
  paths: Paths,
): readonly DbAccountJson[] {
  const owners = policy && accountOwners(paths, policy);
  const tenantOf = tenantNames(policy, paths);
  const ordinary = found.filter(({ isRole }) => !isRole);
  return [...Map.groupBy(ordinary, ({ account }) => account)]
    .map(([account, rows]) => ({
      account,
      hosts: rows.map(({ host }) => host),
      tenant: tenantOf(account, socket) ?? null,
      reason:
        owners === undefined
          ? 'there is no valid policy'
          : formatOwnerReason(owners.ownerOf(account, accountKindAt(socket))),
      privileges: privilegesOf(rows),
    }))
    .toSorted((a, b) => a.account.localeCompare(b.account));
}

/** The same name at another host is another account, with privileges of its own. */
function privilegesOf(rows: readonly ServerAccount[]): readonly string[] | null {
  if (rows.some(({ privileges }) => privileges === undefined)) return null;
  return [...new Set(rows.flatMap(({ privileges }) => privileges ?? []))];
}

function textOf({ socket, accounts: rows, problem }: DbAccountsServerJson): string {
  if (problem !== null) return `${printable(socket)}\n  ${problem}`;
  const lines = rows.map(({ account, tenant, reason, privileges }) => [
    account === '' ? "''" : printable(account),
    tenant ?? '-',
    reason,
    privileges === null ? 'not known' : privileges.join(', '),
  ]);
  const head = ['ACCOUNT', 'TENANT', 'BECAUSE OF', 'GLOBAL PRIVILEGES'];
  return `${printable(socket)}\n${table([head, ...lines])}`;
}

export const command = liveCommand(
  accounts,
  ['bulkhead db accounts', 'show whose each account is, and which are never held'],
  ['bulkhead db accounts -p new.xml', 'the same by another policy'],
);
