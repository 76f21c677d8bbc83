/**
 * Talks to one database server for the agent, as an account that can do nothing else on this host: a server that hangs
 * holds up only this process, and a bug here is not root's. See `core/messages.ts`.
 *
 *     node main.ts UID GID
 */
import { requireSameBuild } from '../../../sys/processes/same-build.ts';
import { endWithParent } from '../../../sys/processes/child-script.ts';
import { Lines } from '../../../sys/lines.ts';
import type { ConnectRequest, WorkerAnswer, WorkerRequest } from '../../core/messages.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import type { DatabaseProblem } from '../client/connect.ts';
import { readAccounts, setNumbers } from '../connection-numbers.ts';
import { endSessions } from '../end-sessions.ts';
import { openServer } from '../open-server.ts';
import type { DatabaseServer } from '../server.ts';

requireSameBuild();

const requestBytesMax = 2 ** 20;
/** Each number is a write to the server's disk. What is left is set the next time, and looks go on meanwhile. */
const capMilliseconds = 5_000;
const [uid, gid] = process.argv.slice(2).map(Number);

function leaveRoot(): void {
  if (process.getuid?.() !== 0) return;
  if (uid === undefined || gid === undefined || !(uid > 0) || !(gid > 0)) process.exit(1);
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

let server: DatabaseServer | undefined;

async function answer(request: WorkerRequest): Promise<WorkerAnswer> {
  if (request.kind === 'connect') return connect(request);
  if (server === undefined) return { kind: 'failed', reason: 'not connected', hung: false };
  if (request.kind === 'end') {
    const { ended } = await endSessions(server.connection, request.endings);
    return { kind: 'ended', ids: ended.map(({ id }) => id) };
  }
  if (request.kind === 'accounts') {
    const accounts = await readAccounts(server.connection, 'worker', request.names);
    return accounts.ok
      ? { kind: 'accounts', accounts: accounts.value }
      : unanswered(accounts.error);
  }
  if (request.kind === 'cap') {
    const problems = await setNumbers(server.connection, request.numbers, capMilliseconds);
    return { kind: 'capped', problems: problems.map(formatProblem) };
  }
  const look = await server.look(request.only, request.transactions);
  return look.ok ? { kind: 'look', look: look.value } : leave(look.error);
}

async function connect({ socket, server: owner, ...login }: ConnectRequest): Promise<WorkerAnswer> {
  server?.connection.close();
  const opened = await openServer({ at: socket, server: owner }, login);
  if (!opened.ok) return leave(opened.error);
  server = opened.value;
  const { version, missing, pid } = server.sight;
  return { kind: 'connected', version, missing, ...(pid === undefined ? {} : { pid }) };
}

/** The server refused the statement, and goes on. */
const unanswered = (problem: Problem): WorkerAnswer => ({
  kind: 'failed',
  reason: formatProblem(problem),
  hung: false,
});

function leave(problem: DatabaseProblem): WorkerAnswer {
  server?.connection.close();
  server = undefined;
  return { kind: 'failed', reason: formatProblem(problem), hung: problem.isLate === true };
}

leaveRoot();
endWithParent();

let last = Promise.resolve();
const lines = new Lines(requestBytesMax, (line) => {
  last = last.then(async () => {
    // Only the agent writes here.
    const done = await answer(JSON.parse(line) as WorkerRequest);
    process.stdout.write(`${JSON.stringify(done)}\n`);
  });
});
process.stdin.on('data', (chunk: Buffer) => {
  if (!lines.add(chunk)) process.exit(1);
});
process.stdin.on('end', () => process.exit(0));
