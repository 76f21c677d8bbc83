/**
 * The lines of JSON between the agent and the process that talks to a database server.
 *
 *     agent   {"kind":"connect","socket":"/run/mysqld/mysqld.sock","server":{"uid":101,"gid":102},"user":"bulkhead-db"}
 *     worker  {"kind":"connected","version":"11.8.6-MariaDB","missing":[]}
 *     agent   {"kind":"look"}
 *     worker  {"kind":"look","look":{…}}
 *     worker  {"kind":"failed","reason":"the server did not answer within 1000 ms","code":0,"hung":true}
 *
 * The worker reads what tenants wrote, so the agent trusts no line of it: each field has a form and a bound.
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Ending } from './backstops.ts';
import type { ServerAccount, WantedNumber } from './connection-numbers.ts';
import type { AccountUse, Look, Session } from './look.ts';
import { rowsMax } from './protocol/reply.ts';
import { isConnectionNumber } from './rights/record.ts';

export interface ConnectRequest {
  readonly kind: 'connect';
  readonly socket: string;
  readonly server: { readonly uid: number; readonly gid: number };
  readonly user: string;
  readonly password?: string;
}

/** The agent sends one request, and waits for its answer. */
export type WorkerRequest =
  | ConnectRequest
  /** `only`: the counters of these accounts; absent: of all. */
  | {
      readonly kind: 'look';
      readonly only?: readonly string[];
      /** False: nobody needs to know which connections wait in a transaction. */
      readonly transactions?: boolean;
    }
  | { readonly kind: 'end'; readonly endings: readonly Ending[] }
  /** Accounts of these names; absent: all. */
  | { readonly kind: 'accounts'; readonly names?: readonly string[] }
  | { readonly kind: 'cap'; readonly numbers: readonly WantedNumber[] };

export type WorkerAnswer =
  | {
      readonly kind: 'connected';
      readonly version: string;
      readonly missing: readonly string[];
      /** The process of the server; absent if it is unknown. */
      readonly pid?: number;
    }
  | { readonly kind: 'look'; readonly look: Look }
  | { readonly kind: 'ended'; readonly ids: readonly number[] }
  | { readonly kind: 'accounts'; readonly accounts: readonly ServerAccount[] }
  /** Numbers of connections were set; the problems say which were not. */
  | { readonly kind: 'capped'; readonly problems: readonly string[] }
  /** `hung`: the server accepted the connection or the statement, and did not answer in time. */
  | { readonly kind: 'failed'; readonly reason: string; readonly hung: boolean };

/** The longest line: 10,000 connections with a statement each, escaped. */
export const answerBytesMax = 32 * 2 ** 20;
const nameMax = 128;
const statementMax = 200;
const reasonMax = 1000;
const missingMax = 20;
const versionMax = 200;
/** Source: `PID_MAX_LIMIT` of the kernel. */
const pidsMax = 2 ** 22;
const hostMax = 255;
const privilegesMax = 100;

/** Returns the answer in a line of the worker; undefined if it is none. */
export function readAnswer(line: string): WorkerAnswer | undefined {
  const value = parseObject(line);
  switch (value?.['kind']) {
    case 'connected': {
      const missing = listOf(value['missing'], missingMax, reasonOf);
      const version = textOf(value['version'], versionMax);
      const pid = amountOf(value['pid']);
      const isPid = pid !== undefined && Number.isInteger(pid) && pid < pidsMax;
      return { kind: 'connected', version, missing, ...(isPid ? { pid } : {}) };
    }
    case 'look': {
      const look = readLook(value['look']);
      return look && { kind: 'look', look };
    }
    case 'ended':
      return { kind: 'ended', ids: listOf(value['ids'], rowsMax, amountOf) };
    case 'accounts':
      return { kind: 'accounts', accounts: listOf(value['accounts'], rowsMax, readServerAccount) };
    case 'capped': {
      const problems = listOf(value['problems'], missingMax, reasonOf);
      return { kind: 'capped', problems };
    }
    case 'failed':
      return {
        kind: 'failed',
        reason: reasonOf(value['reason']),
        hung: value['hung'] === true,
      };
    default:
      return undefined;
  }
}

function readLook(value: unknown): Look | undefined {
  if (!isObject(value)) return undefined;
  const atMicroseconds = amountOf(value['atMicroseconds']);
  if (atMicroseconds === undefined) return undefined;
  return {
    atMicroseconds,
    accounts: listOf(value['accounts'], rowsMax, readAccount),
    sessions: listOf(value['sessions'], rowsMax, readSession),
    serverCpuMicroseconds: amountOf(value['serverCpuMicroseconds']),
    backgroundCpuMicroseconds: amountOf(value['backgroundCpuMicroseconds']),
    ...(value['hasMoreAccounts'] === true ? { hasMoreAccounts: true } : {}),
    ...(value['hasMoreSessions'] === true ? { hasMoreSessions: true } : {}),
  };
}

function readAccount(value: unknown): AccountUse | undefined {
  if (!isObject(value)) return undefined;
  const [cpuMicroseconds, connections, statements] = [
    'cpuMicroseconds',
    'connections',
    'statements',
  ].map((name) => amountOf(value[name]));
  return cpuMicroseconds === undefined
    ? undefined
    : {
        account: textOf(value['account'], nameMax),
        cpuMicroseconds,
        ...(connections === undefined ? {} : { connections }),
        ...(statements === undefined ? {} : { statements }),
      };
}

function readSession(value: unknown): Session | undefined {
  if (!isObject(value)) return undefined;
  const id = amountOf(value['id']);
  if (id === undefined || !Number.isSafeInteger(id)) return undefined;
  const runningCpuMicroseconds = amountOf(value['runningCpuMicroseconds']);
  return {
    id,
    account: textOf(value['account'], nameMax),
    isLocal: value['isLocal'] === true,
    isRunning: value['isRunning'] === true,
    statementMilliseconds: amountOf(value['statementMilliseconds']),
    transactionMilliseconds: amountOf(value['transactionMilliseconds']),
    threadCpuMicroseconds: amountOf(value['threadCpuMicroseconds']),
    statement: textOf(value['statement'], statementMax),
    ...(runningCpuMicroseconds === undefined ? {} : { runningCpuMicroseconds }),
    ...(value['isEvent'] === true ? { isEvent: true } : {}),
  };
}

function readServerAccount(value: unknown): ServerAccount | undefined {
  if (!isObject(value)) return undefined;
  const { connections, privileges } = value;
  if (!isConnectionNumber(connections)) return undefined;
  return {
    account: textOf(value['account'], nameMax),
    host: textOf(value['host'], hostMax),
    connections,
    isRole: value['isRole'] === true,
    // An account whose privileges are not known is left alone.
    privileges: Array.isArray(privileges)
      ? listOf(privileges, privilegesMax, (each) => textOf(each, nameMax))
      : undefined,
    createsEvents: value['createsEvents'] === true,
    grants: value['grants'] === true,
  };
}

/** Returns a number of zero or more; undefined for anything else. */
const amountOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;

const textOf = (value: unknown, charactersMax: number): string =>
  typeof value === 'string' ? value.slice(0, charactersMax) : '';

/** Returns a text for the log. */
const reasonOf = (value: unknown): string => printable(textOf(value, reasonMax));

const listOf = <T>(value: unknown, max: number, read: (each: unknown) => T | undefined): T[] =>
  Array.isArray(value) ? value.slice(0, max).flatMap((each) => read(each) ?? []) : [];
