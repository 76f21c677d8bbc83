/**
 * Gives Bulkhead its rights in a server, and takes them back. The record is written before the first change and removed
 * after the last one, so a run that was killed at any moment is completed by the next one.
 */
import { failed, formatCause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import type { EnableStep } from '../core/rights/enable.ts';
import { accountName } from '../core/connection-numbers.ts';
import { isOurs, type EnabledServer, type KeptNumber } from '../core/rights/record.ts';
import type { DatabaseConnection } from './client/connect.ts';
import { kindOf } from './kinds.ts';
import { readNumbers, readServers, writeNumbers, writeServers } from './record-file.ts';
import type { RightsPlan, UndoPlan } from './server.ts';

/** A server to which root is connected. The caller has the lock of the records, unless it only plans. */
export interface EnableTarget {
  readonly paths: Pick<Paths, 'state'>;
  readonly socket: string;
  readonly connection: DatabaseConnection;
  /** The worker's password, for a server that cannot know it by its process. */
  readonly password?: string;
}

/** Returns what `enable` would do in the server. */
export async function planServer(target: EnableTarget): Promise<Result<RightsPlan, Problem>> {
  const { connection, password } = target;
  const servers = readServers(target.paths);
  if (!servers.ok) return servers;
  const isOurs = servers.value.some(({ socket }) => socket === target.socket);
  const { rights } = kindOf(connection);
  const plan = await rights.plan(connection, { isOurs, ...(password && { password }) });
  return plan.ok ? plan : failed({ ...plan.error, ...cannotEnable(target) });
}

const cannotEnable = ({ socket }: EnableTarget) => ({
  action: 'enable the database share of the server at',
  object: socket,
});

/** Does it, and checks that nothing is missing then. Returns the plan that it has carried out. */
export async function enableServer(target: EnableTarget): Promise<Result<RightsPlan, Problem>> {
  const plan = await planServer(target);
  if (!plan.ok) return plan;
  const { steps, isCounting } = plan.value;
  const recorded = record(target, isCounting);
  if (!recorded.ok) return recorded;
  const done = await runSteps(target, steps);
  if (!done.ok) return done;
  const after = await planServer(target);
  if (!after.ok) return after;
  // A password is set with each run: nobody can read whether the account has it.
  const [missing] = target.password === undefined ? after.value.steps : [];
  return missing === undefined
    ? plan
    : failed({
        ...cannotEnable(target),
        reason: `the server accepted every statement, and still this is missing: ${missing.text}`,
      });
}

function record({ paths, socket }: EnableTarget, isCounting: boolean): Result<void, Problem> {
  const servers = readServers(paths);
  if (!servers.ok) return servers;
  const found = servers.value.find((each) => each.socket === socket);
  if (found !== undefined && found.undoing === undefined) return ok(undefined);
  const others = servers.value.filter((each) => each !== found);
  return writeServers(paths, [...others, { socket, userstat: found?.userstat ?? isCounting }]);
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
  const { before, after, numbers } = state.value;
  const lines = [
    ...before.map(({ text }) => text),
    ...(numbers.length === 0
      ? []
      : [`sets the numbers of connections of ${numbers.length} accounts back`]),
    ...after.map(({ text }) => text),
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
  const { before, after } = state.value;
  const stopped = await runSteps(target, before);
  if (!stopped.ok) return stopped;
  const numbers = await restoreNumbers(target);
  if (!numbers.ok) return numbers;
  const removed = await runSteps(target, after);
  if (!removed.ok) return removed;
  const servers = readServers(target.paths);
  if (!servers.ok) return servers;
  const left = servers.value.filter(({ socket }) => socket !== target.socket);
  const written = writeServers(target.paths, left);
  return written.ok ? numbers : written;
}

interface Undo extends UndoPlan {
  readonly numbers: readonly KeptNumber[];
}

async function readUndo(target: EnableTarget): Promise<Result<Undo, Problem>> {
  const { connection, paths, socket } = target;
  const servers = readServers(paths);
  if (!servers.ok) return servers;
  const numbers = readNumbers(paths);
  if (!numbers.ok) return numbers;
  const kept = servers.value.find((each) => each.socket === socket);
  const wasCounting = kept?.userstat !== false;
  const plan = await kindOf(connection).rights.planUndo(connection, { wasCounting });
  if (!plan.ok) return plan;
  return ok({ ...plan.value, numbers: numbers.value.filter((each) => each.socket === socket) });
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
  const { rights } = kindOf(connection);
  const own = numbers.value.filter((each) => each.socket === socket);
  const changed: string[] = [];
  for (const each of own) {
    const now = await rights.numberOf(connection, each);
    if (!now.ok) return now;
    if (now.value === undefined) continue;
    if (!isOurs(each, now.value) && now.value !== each.before) {
      changed.push(accountName(each));
      continue;
    }
    if (now.value === each.before) continue;
    const { account, host, before } = each;
    const done = await rights.restoreNumber(connection, { account, host, connections: before });
    if (!done.ok) return done;
  }
  const written = writeNumbers(
    paths,
    numbers.value.filter((each) => each.socket !== socket),
  );
  return written.ok ? ok(changed) : written;
}
