/** Programs of the host. Each is killed with this process, however that exits. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createReadStream, type PathLike } from 'node:fs';
import { pipeline } from 'node:stream/promises';

export interface GuestResult {
  /** Exit status; 128 + the signal's number when a signal killed it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array | { readonly file: PathLike } | NodeJS.ReadableStream;
  /** Called with each piece of standard output and standard error as it comes. */
  readonly onOutput?: (chunk: string) => void;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Kills the command early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly stdout: string;
  readonly stderr: string;
  constructor(message: string, stdout: string, stderr: string) {
    super(message);
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

const defaultTimeoutMs = 10 * 60_000;
/** A command that prints more than this is broken, and would fill the memory. */
const outputBytesMax = 256 * 2 ** 20;
const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/**
 * Starts a program that the kernel kills when the thread that started it ends, be it by a
 * crash or SIGKILL. The process id is the program's own: setpriv replaces itself.
 */
export function spawnBound(argv: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], options);
}

/** Runs a program to its end. Rejects when it cannot start, takes too long or is aborted. */
export async function execute(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<GuestResult> {
  const { timeoutMs = defaultTimeoutMs, input, signal } = options;
  signal?.throwIfAborted();
  const child = spawnBound(argv, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const stdout = collect(child.stdout, options.onOutput);
  const stderr = collect(child.stderr, options.onOutput);
  feed(child, input);

  const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code, name) => resolve(code ?? 128 + (signalNumbers[name ?? ''] ?? 0)));
  const give = (reason: Error) => {
    reject(reason);
    child.kill('SIGKILL');
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const onAbort = () => give(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => {
    const message = `"${argv.join(' ')}" did not finish within ${timeoutMs / 1000} s`;
    give(new TimeoutError(message, stdout(), stderr()));
  }, timeoutMs);
  try {
    return { status: await ended, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Runs a program like `execute`, but it has to succeed; returns its standard output. */
export async function succeed(
  purpose: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await execute(argv, options);
  if (result.status === 0) return result.stdout;
  const printed = lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 20);
  throw new Error(
    `Cannot ${purpose}: "${argv[0]}" exited with status ${result.status}: ${printed}`,
  );
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Splits a command line that has only plain words. */
export const splitCommand = (text: string): string[] => text.trim().split(/\s+/);

/** Quotes a word for a POSIX shell. */
export const shellQuote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

function collect(
  stream: NodeJS.ReadableStream | null,
  onOutput: ((chunk: string) => void) | undefined,
): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < outputBytesMax) text += chunk;
    onOutput?.(chunk);
  });
  return () => text;
}

/**
 * Writes the input. A program may exit without reading all of it; its status shows whether that is
 * wrong.
 */
function feed(child: ChildProcess, input: CommandOptions['input']): void {
  if (child.stdin === null || input === undefined) return;
  child.stdin.on('error', () => {});
  if (typeof input === 'string' || input instanceof Uint8Array) child.stdin.end(input);
  else
    pipeline('file' in input ? createReadStream(input.file) : input, child.stdin).catch(() => {});
}
