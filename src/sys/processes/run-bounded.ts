/** Runs a program of the host, which may hang or print without end: returns its output, or why there is none. */
import { execFile, type ChildProcess } from 'node:child_process';
import { causeOf } from '../../../packages/base/io/errno.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly bytesMax?: number;
  /** Called when the program itself has ended; processes that it started may still run, and keep its output open. */
  readonly onExit?: () => void;
}

export interface Output {
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

const defaultTimeoutMs = 60_000;
const defaultBytesMax = 256 * 2 ** 20;
/** The time that a killed program gets to end. One that waits for a file system that does not answer never does. */
const endMs = 1_000;
const plain = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', LC_ALL: 'C' };

/** Runs the program. It gets nothing of our environment, and no shell reads the words. */
export function runBounded(
  program: string,
  args: readonly string[],
  {
    environment = {},
    timeoutMs = defaultTimeoutMs,
    bytesMax = defaultBytesMax,
    onExit,
  }: RunOptions = {},
): Promise<Result<Output, Cause>> {
  return new Promise((resolve) => {
    const options = {
      cwd: '/',
      env: { ...environment, ...plain },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: bytesMax,
      encoding: 'buffer',
    } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      clearTimeout(timer);
      const output = { stdout, stderr: stderr.toString('utf8') };
      if (error === null) resolve(ok({ status: 0, ...output }));
      else if (typeof error.code === 'number') resolve(ok({ status: error.code, ...output }));
      else resolve(fail(runFailure(error, timeoutMs, bytesMax)));
    });
    const timer = setTimeout(() => {
      leave(child);
      resolve(fail(lateAfter(timeoutMs)));
    }, timeoutMs + endMs);
    if (onExit !== undefined) child.once('exit', onExit);
    child.stdin?.end();
  });
}

/** Lets this process end while the child does not. */
function leave(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
}

const lateAfter = (timeoutMs: number): Cause => ({
  reason: `it did not finish within ${timeoutMs / 1000} s`,
});

/** The error of execFile or execFileSync. The latter has `status`, and ETIMEDOUT as its code. */
export interface RunError extends Error {
  readonly code?: string | number | null;
  readonly status?: number | null;
  readonly killed?: boolean;
  readonly signal?: NodeJS.Signals | null;
}

/** Returns why a program did not end as it should: its status, its signal, or our limits. */
export function runFailure(error: RunError, timeoutMs: number, bytesMax = defaultBytesMax): Cause {
  const status = typeof error.code === 'number' ? error.code : error.status;
  if (typeof status === 'number') return { reason: `it ended with status ${status}` };
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return { reason: `it printed more than ${bytesMax} bytes` };
  if (error.killed === true || error.code === 'ETIMEDOUT') return lateAfter(timeoutMs);
  if (typeof error.signal === 'string') return { reason: `it was killed by ${error.signal}` };
  return causeOf(error);
}
