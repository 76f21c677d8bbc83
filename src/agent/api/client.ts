/** A client of the agent: one request over its socket, one JSON response. */
import { agentLock, type Paths } from '../../host/paths.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { problemIn } from './error-body.ts';

/**
 * Loaded without an import statement: for one, Node.js reads every export of the module and so loads its WebSocket
 * client, which takes a quarter of a command's start.
 */
const { request } = process.getBuiltinModule('node:http');

export const socketOf = ({ runtime }: Paths) => `${runtime}/control.sock`;

export const answerMilliseconds = 60_000;
/** The time after which someone who waits wants to know the reason. */
const slowMilliseconds = 1_000;
const bytesMax = 256 * 2 ** 20;

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface CallOptions {
  readonly method?: 'GET' | 'POST';
  /** JSON to send. */
  readonly body?: string;
  /** How long to wait for the answer. */
  readonly waitMilliseconds?: number;
  /** Called once if there is no answer after a second. */
  readonly onSlow?: () => void;
}

export interface AgentFailure extends Problem {
  /** The status of the response; absent if there was none. */
  readonly status?: number;
}

/** How long callers wait that can do without the answer. */
export const brieflyMilliseconds = 5_000;
export const briefly: CallOptions = { waitMilliseconds: brieflyMilliseconds };

/** Asks the agent, for example `callAgent<TopAnswer>(paths, '/v1/top', { all: 1 })`. */
export async function callAgent<Handler>(
  paths: Paths,
  path: string,
  query: Query = {},
  options: CallOptions = {},
): Promise<Result<Handler, AgentFailure>> {
  const { onSlow } = options;
  const slow = onSlow === undefined ? undefined : setTimeout(onSlow, slowMilliseconds);
  const reply = await ask(paths, `${path}${queryText(query)}`, options);
  clearTimeout(slow);
  if (!reply.ok) return reply;
  const { status, text } = reply.value;
  const value = parse(text);
  if (status === 200 && value !== undefined) return ok(value as Handler);
  const problem = problemIn(value);
  if (problem !== undefined) return fail({ ...problem, status });
  return failed({
    action: 'understand the answer of the agent',
    reason: `its status is ${status}`,
  });
}

/** Returns the parsed JSON; undefined if the text is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([key, value]) => {
    if (value === undefined || value === false) return [];
    const values = Array.isArray(value) ? value : [value === true ? 1 : value];
    return values.map((each) => `${encodeURIComponent(key)}=${encodeURIComponent(String(each))}`);
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

function ask(
  paths: Paths,
  path: string,
  { method = 'GET', body, waitMilliseconds = answerMilliseconds }: CallOptions,
): Promise<Result<Reply, Problem>> {
  const socketPath = socketOf(paths);
  return new Promise((resolve) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ socketPath, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > bytesMax) sent.destroy(new Error('its response is too long'));
      });
      response.on('end', () =>
        resolve(
          ok({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        ),
      );
      response.on(
        'error',
        (error) => void problemOf(paths, error).then((each) => resolve(fail(each))),
      );
    });
    const silent = `it did not respond within ${waitMilliseconds / 1000} s`;
    sent.setTimeout(waitMilliseconds, () => sent.destroy(new Error(silent)));
    sent.on('error', (error) => void problemOf(paths, error).then((each) => resolve(fail(each))));
    sent.end(body);
  });
}

async function problemOf(paths: Paths, error: NodeJS.ErrnoException): Promise<Problem> {
  const what = { action: 'ask the agent at', object: socketOf(paths) };
  if (error.code !== 'ENOENT' && error.code !== 'ECONNREFUSED') {
    return { ...what, reason: error.message };
  }
  // Only now: system calls take a megabyte, which what asks all day, such as a courier, has no need of.
  const { isLocked } = await import('../../sys/files/flock.ts');
  // It has begun, and does not listen yet.
  if (isLocked(agentLock(paths))) {
    const hint = 'try again in a few seconds';
    return { ...what, reason: 'the agent is starting', hint, errno: error.code };
  }
  return {
    ...what,
    reason: 'no agent is running',
    hint:
      process.geteuid?.() === 0
        ? 'start it with "bulkhead agent" or "systemctl start bulkhead"'
        : 'ask the administrator to start it with "systemctl start bulkhead"',
    errno: error.code,
  };
}
