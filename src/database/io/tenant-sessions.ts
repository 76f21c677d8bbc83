/** Finds the sessions of one tenant in a server, for an administrator who wants them ended. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Ending } from '../core/backstops.ts';
import { isOrdinary } from '../core/connection-numbers.ts';
import type { DatabaseConnection } from './client/connect.ts';
import { readAccounts } from './connection-numbers.ts';
import { kindOf } from './kinds.ts';

interface Wanted {
  /** The tenant's uid. */
  readonly tenant: number;
  readonly isOwn: (account: string) => boolean;
  readonly what: Ending['what'];
}

/**
 * Returns what to end: statements that run, or all connections. Accounts with global privileges are left out, also those
 * that have the tenant's name. Inside a routine, the server shows the DEFINER in place of the caller.
 */
export async function findEndings(
  connection: DatabaseConnection,
  { tenant, isOwn, what }: Wanted,
): Promise<Result<readonly Ending[], Problem>> {
  const server = await kindOf(connection).open(connection);
  if (!server.ok) return server;
  const look = await server.value.look();
  if (!look.ok) return look;
  const own = look.value.sessions.filter(({ account }) => isOwn(account));
  const names = [...new Set(own.map(({ account }) => account))];
  const accounts = await readAccounts(connection, 'root', names);
  if (!accounts.ok) return accounts;
  const groups = Map.groupBy(accounts.value, ({ account }) => account);
  return ok(
    own
      .filter(({ account }) => groups.get(account)?.every(isOrdinary) === true)
      .filter(({ isRunning }) => what === 'connection' || isRunning)
      .map(({ id, account, statement }) => ({
        id,
        account,
        statement,
        tenant,
        what,
        why: 'request',
        found: 0,
        allowed: 0,
      })),
  );
}
