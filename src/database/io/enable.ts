/**
 * Gives Bulkhead its rights in a server, and takes them back. The record is written before the first change and removed
 * after the last one, so a run that was killed at any moment is completed by the next one.
 */
import { failed, formatCause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import {
  enableRemarks,
  planDisable,
  planEnable,
  type EnableStep,
  type ServerFacts,
} from '../core/rights/enable.ts';
import { numberStatement, restoreStatement } from '../core/rights/enable-sql.ts';
import { isOurs, type EnabledServer, type KeptNumber } from '../core/rights/record.ts';
import type { DatabaseConnection } from './client/connect.ts';
import { readNumbers, readServers, writeNumbers, writeServers } from './record-file.ts';
import { readServerFacts } from './server-facts.ts';

/** A server to which root is connected. The caller has the lock of the records, unless it only plans. */
export interface EnableTarget {
  readonly paths: Pick<Paths, 'state'>;
  readonly socket: string;
  readonly connection: DatabaseConnection;
  /** The hash of the worker's password, for a server without unix_socket. */
  readonly passwordHash?: string;
}

export interface ServerPlan {
  readonly facts: ServerFacts;
  readonly steps: readonly EnableStep[];
  readonly remarks: readonly string[];
}

/** Returns what `enable` would do in the server. */
export async function planServer(target: EnableTarget): Promise<Result<ServerPlan, Problem>> {
  const facts = await readServerFacts(target.connection);
  if (!facts.ok) return facts;
  const servers = readServers(target.paths);
  if (!servers.ok) return servers;
  const isOurs = servers.value.some(({ socket }) => socket === target.socket);
  const { passwordHash } = target;
  const steps = planEnable(facts.value, { isOurs, ...(passwordHash && { passwordHash }) });
  if (!steps.ok) return failed({ ...steps.error, ...cannotEnable(target) });
  return ok({ facts: facts.value, steps: steps.value, remarks: enableRemarks(facts.value) });
}

const cannotEnable = ({ socket }: EnableTarget) => ({
  action: 'enable the database share of the server at',
  object: socket,
});

/** Does it, and checks that nothing is missing then. Returns the plan that it has carried out. */
export async function enableServer(target: EnableTarget): Promise<Result<ServerPlan, Problem>> {
  const plan = await planServer(target);
  if (!plan.ok) return plan;
  const { steps, facts } = plan.value;
  const recorded = record(target, facts);
  if (!recorded.ok) return recorded;
  const done = await runSteps(target, steps);
  if (!done.ok) return done;
  const after = await planServer(target);
  if (!after.ok) return after;
  // A server without unix_socket gets its password with each run: nobody can read whether it has it.
  const [missing] = target.passwordHash === undefined ? after.value.steps : [];
  return missing === undefined
    ? plan
    : failed({
        ...cannotEnable(target),
        reason: `the server accepted every statement, and still this is missing: ${missing.text}`,
      });
}

function record({ paths, socket }: EnableTarget, facts: ServerFacts): Result<void, Problem> {
  const servers = readServers(paths);
  if (!servers.ok) return servers;
  const found = servers.value.find((each) => each.socket === socket);
  if (found !== undefined && found.undoing === undefined) return ok(undefined);
  const others = servers.value.filter((each) => each !== found);
  return writeServers(paths, [
    ...others,
    { socket, userstat: found?.userstat ?? facts.hasUserstat },
  ]);
}

async function runSteps(
  { connection, socket }: EnableTarget,
  steps: readonly EnableStep[],
): Promise<Result<void, Problem>> {
  for (const { text, sql } of steps) {
    const done = await connection.query(sql);
    if (!done.ok)
      return failed({
        action: 'change the database server at',
        object: socket,
        reason: `"${text}" failed: ${formatCause(done.error)}`,
        hint: 'run the command again; it goes on where it ended',
      });
  }
  return ok(undefined);
}

/** Returns what `disable` would do in the server, in its order. */
export async function planUndo(target: EnableTarget): Promise<Result<readonly string[], Problem>> {
  const state = await readUndo(target);
  if (!state.ok) return state;
  const { before, after, restore, numbers } = state.value;
  const lines = [
    ...before.map(({ text }) => text),
    ...(numbers.length === 0
      ? []
      : [`sets the numbers of connections of ${numbers.length} accounts back`]),
    ...after.map(({ text }) => text),
    ...restore.map(({ text }) => text),
  ];
  return ok(lines);
}

/** Undoes everything in the server. Returns accounts whose number somebody else has changed since. */
export async function disableServer(
  target: EnableTarget,
): Promise<Result<readonly string[], Problem>> {
  const marked = mark(target);
  if (!marked.ok) return marked;
  const state = await readUndo(target);
  if (!state.ok) return state;
  const { before, after, restore } = state.value;
  const stopped = await runSteps(target, before);
  if (!stopped.ok) return stopped;
  const numbers = await restoreNumbers(target);
  if (!numbers.ok) return numbers;
  const removed = await runSteps(target, [...after, ...restore]);
  if (!removed.ok) return removed;
  const servers = readServers(target.paths);
  if (!servers.ok) return servers;
  const left = servers.value.filter(({ socket }) => socket !== target.socket);
  const written = writeServers(target.paths, left);
  return written.ok ? numbers : written;
}

interface Undo {
  readonly before: readonly EnableStep[];
  readonly after: readonly EnableStep[];
  readonly restore: readonly EnableStep[];
  readonly numbers: readonly KeptNumber[];
}

async function readUndo(target: EnableTarget): Promise<Result<Undo, Problem>> {
  const facts = await readServerFacts(target.connection);
  if (!facts.ok) return facts;
  const servers = readServers(target.paths);
  if (!servers.ok) return servers;
  const numbers = readNumbers(target.paths);
  if (!numbers.ok) return numbers;
  const kept = servers.value.find(({ socket }) => socket === target.socket);
  const off = { text: 'no longer counts what accounts use', sql: 'SET GLOBAL userstat = 0' };
  return ok({
    ...planDisable(facts.value),
    restore: kept?.userstat === false && facts.value.hasUserstat ? [off] : [],
    numbers: numbers.value.filter(({ socket }) => socket === target.socket),
  });
}

function mark({ paths, socket }: EnableTarget): Result<void, Problem> {
  const servers = readServers(paths);
  if (!servers.ok) return servers;
  const marked = servers.value.map((each): EnabledServer =>
    each.socket === socket ? { ...each, undoing: true } : each,
  );
  return writeServers(paths, marked);
}

/** Sets numbers back that are still ours. Accounts that are gone have none. */
export async function restoreNumbers({
  paths,
  socket,
  connection,
}: EnableTarget): Promise<Result<readonly string[], Problem>> {
  const numbers = readNumbers(paths);
  if (!numbers.ok) return numbers;
  const own = numbers.value.filter((each) => each.socket === socket);
  const changed: string[] = [];
  for (const each of own) {
    const now = await numberOf(connection, each);
    if (!now.ok) return now;
    if (now.value === undefined) continue;
    if (!isOurs(each, now.value) && now.value !== each.before) {
      changed.push(`${each.account}@${each.host}`);
      continue;
    }
    if (now.value === each.before) continue;
    const { account, host, before } = each;
    const done = await connection.query(restoreStatement(account, host, before));
    if (!done.ok) return done;
  }
  const written = writeNumbers(
    paths,
    numbers.value.filter((each) => each.socket !== socket),
  );
  return written.ok ? ok(changed) : written;
}

/** Returns the account's number now; undefined if there is no such account. */
async function numberOf(
  connection: DatabaseConnection,
  { account, host }: KeptNumber,
): Promise<Result<number | undefined, Problem>> {
  const rows = await connection.query(numberStatement(account, host));
  if (!rows.ok) return rows;
  const value = rows.value[0]?.get('connections');
  return ok(value === undefined || value === null ? undefined : Number(value));
}
