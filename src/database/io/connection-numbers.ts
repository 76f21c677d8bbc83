/** Reads the accounts of a server, and sets their numbers of connections. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  accountName,
  keyOf,
  type ServerAccount,
  type WantedNumber,
} from '../core/connection-numbers.ts';
import { rowsMax } from '../core/protocol/reply.ts';
import { isOurs, type KeptNumber } from '../core/rights/record.ts';
import type { Paths } from '../../host/paths.ts';
import type { DatabaseConnection } from './client/connect.ts';
import { kindOf } from './kinds.ts';
import { lockDatabases, readNumbers, readServers, writeNumbers } from './record-file.ts';
import type { Asker } from './server.ts';

/**
 * Returns the accounts and roles of the server, or those of some names. The server has more accounts than are listed if
 * there are `rowsMax`.
 */
export const readAccounts = async (
  connection: DatabaseConnection,
  by: Asker = 'worker',
  names?: readonly string[],
): Promise<Result<readonly ServerAccount[], Problem>> =>
  names?.length === 0 ? ok([]) : kindOf(connection).accounts(connection, by, names);

interface NumbersTarget {
  readonly paths: Pick<Paths, 'state'>;
  readonly socket: string;
}

/** A number to set. */
export interface NumberChange extends WantedNumber {
  readonly before: number;
}

/**
 * Notes the numbers that accounts have now before they are changed, and returns the changes: accounts that need another
 * number, and those whose tenant has no limit any more, which get their own number back. Does nothing for a server that
 * `disable` is about to leave.
 */
export function noteNumbers(
  { paths, socket }: NumbersTarget,
  accounts: readonly ServerAccount[],
  wanted: readonly WantedNumber[],
): Result<readonly NumberChange[], Problem> {
  // The agent has more to do than to wait for a command; it comes again.
  const lock = lockDatabases(paths, 0);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  const servers = readServers(paths);
  if (!servers.ok) return servers;
  const server = servers.value.find((each) => each.socket === socket);
  if (server === undefined || server.undoing === true) return ok([]);
  const numbers = readNumbers(paths);
  if (!numbers.ok) return numbers;
  const [own, others] = [true, false].map((is) =>
    numbers.value.filter((each) => (each.socket === socket) === is),
  ) as [KeptNumber[], KeptNumber[]];
  const kept = new Map(own.map((each) => [keyOf(each), each]));
  const plan = planNumbers(socket, accounts, wanted, kept);
  const written = writeNumbers(paths, [...others, ...plan.kept]);
  return written.ok ? ok(plan.changes) : written;
}

function planNumbers(
  socket: string,
  accounts: readonly ServerAccount[],
  wanted: readonly WantedNumber[],
  kept: ReadonlyMap<string, KeptNumber>,
) {
  const numbers = new Map(wanted.map((each) => [keyOf(each), each.connections]));
  const changes: NumberChange[] = [];
  const rows: KeptNumber[] = [];
  for (const { account, host, connections: now } of accounts) {
    const key = keyOf({ account, host });
    const set = numbers.get(key);
    const before = kept.get(key)?.before ?? now;
    if (set !== undefined) {
      const replaces = set === now || before === now ? {} : { replaces: now };
      rows.push({ socket, account, host, before, set, ...replaces });
      if (set !== now) changes.push({ account, host, connections: set, before });
      continue;
    }
    const was = kept.get(key);
    if (was === undefined || was.before === now) continue;
    // Somebody else has set another number since: that one stays.
    if (!isOurs(was, now)) continue;
    rows.push(was);
    changes.push({ account, host, connections: was.before, before: was.before });
  }
  // Accounts that are not in the list may still exist.
  const listed = new Set(accounts.map(keyOf));
  if (accounts.length >= rowsMax)
    rows.push(...[...kept.values()].filter((each) => !listed.has(keyOf(each))));
  return { changes, kept: rows };
}

/** Sets the numbers; goes on after a failure, as long as the server answers, and begins none after the time. */
export async function setNumbers(
  connection: DatabaseConnection,
  changes: readonly WantedNumber[],
  withinMilliseconds = Infinity,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const until = performance.now() + withinMilliseconds;
  const { setNumber } = kindOf(connection);
  for (const each of changes) {
    const done = await setNumber(connection, each);
    const object = accountName(each);
    const action = 'set the number of connections of the account';
    if (!done.ok) problems.push({ ...done.error, action, object });
    if (!connection.isOpen || performance.now() > until) break;
  }
  return problems;
}
