/**
 * The records of what a host had before Bulkhead changed it.
 *
 *     {"version":1,"servers":[{"socket":"/run/mysqld/mysqld.sock","userstat":false}]}
 *     {"version":1,"numbers":[{"socket":"…","account":"alice_1","host":"localhost","before":0,"set":10}]}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { numberMax } from '../connection-numbers.ts';

/** A server in which Bulkhead has rights, or has begun to make or remove them. */
export interface EnabledServer {
  readonly socket: string;
  /** Whether it counted what accounts use before. */
  readonly userstat: boolean;
  /** Whether `disable` has begun: nothing may be set any more. */
  readonly undoing?: true;
}

/** The number of connections of an account, before Bulkhead set it and since. */
export interface KeptNumber {
  readonly socket: string;
  readonly account: string;
  readonly host: string;
  readonly before: number;
  readonly set: number;
  /** The number that `set` replaces, until the server has taken it. */
  readonly replaces?: number;
}

/** Whether a number is one that Bulkhead has set, or was about to replace; another one is somebody else's. */
export const isOurs = ({ set, replaces }: KeptNumber, now: number): boolean =>
  now === set || now === replaces;

/** The most rows of a record. */
export const recordRowsMax = 100_000;

export const formatServers = (servers: readonly EnabledServer[]): string =>
  `${JSON.stringify({ version: 1, servers })}\n`;
export const formatNumbers = (numbers: readonly KeptNumber[]): string =>
  `${JSON.stringify({ version: 1, numbers })}\n`;

export const parseServers = (text: string): Result<readonly EnabledServer[], Cause> =>
  parseRows(text, 'servers', isServer);
export const parseNumbers = (text: string): Result<readonly KeptNumber[], Cause> =>
  parseRows(text, 'numbers', isNumber);

function parseRows<T>(
  text: string,
  key: string,
  isRow: (each: unknown) => each is T,
): Result<readonly T[], Cause> {
  const damaged = { reason: 'it is damaged', hint: 'restore it from a backup, or remove it' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return fail(damaged);
  }
  const fields = (parsed ?? {}) as Record<string, unknown>;
  const rows = fields[key];
  const isValid =
    fields['version'] === 1 &&
    Array.isArray(rows) &&
    rows.length <= recordRowsMax &&
    rows.every(isRow);
  return isValid ? ok(rows as readonly T[]) : fail(damaged);
}

function isServer(each: unknown): each is EnabledServer {
  const { socket, userstat, undoing } = (each ?? {}) as Record<string, unknown>;
  return (
    isPath(socket) && typeof userstat === 'boolean' && (undoing === undefined || undoing === true)
  );
}

function isNumber(each: unknown): each is KeptNumber {
  const { socket, account, host, before, set, replaces } = (each ?? {}) as Record<string, unknown>;
  return (
    isPath(socket) &&
    typeof account === 'string' &&
    account.length <= 128 &&
    typeof host === 'string' &&
    host.length <= 255 &&
    isConnectionNumber(before) &&
    isConnectionNumber(set) &&
    (replaces === undefined || isConnectionNumber(replaces)) &&
    set <= numberMax
  );
}

/** Whether it is a number of connections as servers keep it. */
export const isConnectionNumber = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= -1 && (value as number) <= 2 ** 31;

const isPath = (value: unknown): value is string =>
  typeof value === 'string' && value.startsWith('/') && value.length <= 108;
