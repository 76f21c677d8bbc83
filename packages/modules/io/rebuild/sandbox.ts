/**
 * Runs a command that somebody else wrote, in a jail made by bubblewrap.
 *
 * Inside, there is no network, no environment and no capability; processes, users, IPC and host
 * name are the jail's own. The user owns nothing, and the host's programs are read-only. /etc has
 * only the parts that programs need to start. Writable directories are in memory, of bounded size.
 * The input is a tar archive at standard input; the output is text and the bytes written to
 * descriptor 3. Everything in the jail ends with the command, with the time limit, with the
 * caller's signal and with this process, and leaves nothing behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { failed, formatCause, type Cause, type Problem } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { coverInherited } from './inherited.ts';
import {
  jailCommand,
  type JailCgroup,
  type SandboxCommand,
  type JailLimits,
} from './sandbox-command.ts';
import { printable } from '../../../base/printable.ts';

const defaultLimits: JailLimits = {
  wallSeconds: 30 * 60,
  cpuSeconds: 20 * 60,
  addressSpaceBytes: 4 * 2 ** 30,
  fileBytes: 2 ** 30,
  memoryBytes: 4 * 2 ** 30,
  processes: 256,
  writableBytes: 2 * 2 ** 30,
  outputBytes: 64 * 2 ** 20,
  resultBytes: 256 * 2 ** 20,
};

export interface JailOptions extends SandboxCommand {
  readonly input?: Readable;
  readonly limits?: Partial<JailLimits>;
  /** Receives each line of output, without control characters. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
  /**
   * Makes the cgroup that bounds all processes together. Without it limits hold per process, and a build that is stopped
   * while its jail is being made may go on.
   */
  readonly makeCgroup?: (limits: JailLimits) => Result<JailCgroup, Cause>;
}

export interface JailResult {
  readonly end:
    | { readonly kind: 'exit'; readonly status: number }
    | { readonly kind: 'time' | 'output' | 'result' | 'aborted'; readonly message: string };
  /** The last lines of output, oldest first. */
  readonly lastLines: readonly string[];
  /** The bytes that the command wrote to descriptor 3. */
  readonly result: Uint8Array;
  /** The reason why no cgroup bounded all processes together; undefined if one did. */
  readonly unbounded: string | undefined;
}

const lastLinesMax = 40;
const lineCharactersMax = 2000;

/** Runs the command; fails when the jail cannot be made. Never leaves a process behind. */
export async function runInJail(options: JailOptions): Promise<Result<JailResult, Problem>> {
  const usable = jailTools();
  if (!usable.ok) return usable;
  const limits = { ...defaultLimits, ...options.limits };
  const made = options.makeCgroup?.(limits) ?? fail({ reason: 'no cgroup was asked for' });
  using cgroup = made.ok ? made.value : undefined;
  const argv = jailCommand(options, limits, cgroup);
  using covering = coverInherited(4);
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: '/',
    env: { PATH: searchPath, LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', ...covering.stdio],
  });
  const result = await new Run(child, options, limits, cgroup).ended();
  return result.ok && !made.ok
    ? ok({ ...result.value, unbounded: formatCause(made.error) })
    : result;
}

const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Checks that the programs that make a jail are installed. */
export function jailTools(): Result<true, Problem> {
  const missing = [
    ['bwrap', 'bubblewrap'],
    ['setpriv', 'util-linux'],
    ['prlimit', 'util-linux'],
    ['choom', 'util-linux'],
    ['unshare', 'util-linux'],
  ].filter(([program = '']) => !isProgram(program));
  if (missing.length === 0) return ok(true);
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  const programs = missing.map(([name]) => `"${name}"`).join(', ');
  return failed({
    action: 'make a jail for the build',
    reason: `${programs} is not installed`,
    hint: `install it (apt install ${packages})`,
  });
}

const isProgram = (name: string): boolean =>
  searchPath.split(':').some((directory) => statOf(`${directory}/${name}`)?.isFile() === true);

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

class Run {
  readonly #child: ChildProcess;
  readonly #options: JailOptions;
  readonly #limits: JailLimits;
  readonly #cgroup: JailCgroup | undefined;
  readonly #lines: string[] = [];
  readonly #result: Uint8Array[] = [];
  #outputBytes = 0;
  #resultBytes = 0;
  #started = false;
  #given: JailResult['end'] | undefined;
  #unfinished = '';

  constructor(
    child: ChildProcess,
    options: JailOptions,
    limits: JailLimits,
    cgroup: JailCgroup | undefined,
  ) {
    this.#cgroup = cgroup;
    this.#child = child;
    this.#options = options;
    this.#limits = limits;
  }

  async ended(): Promise<Result<JailResult, Problem>> {
    const { promise, resolve } = Promise.withResolvers<Result<number, Problem>>();
    this.#child.on('error', (error) =>
      resolve(failed({ action: 'start the jail', reason: error.message })),
    );
    this.#child.on('close', (code, name) => resolve(ok(code ?? (name === null ? 1 : 128))));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    }
    const descriptor3 = this.#child.stdio[3] as Readable | null;
    descriptor3?.on('data', (chunk: Uint8Array) => this.#keep(chunk)).on('error', () => {});
    this.#feed();
    const seconds = this.#limits.wallSeconds;
    const timer = setTimeout(() => {
      this.#give('time', `did not finish within ${seconds} s`);
    }, seconds * 1000);
    const abort = () => this.#give('aborted', 'was interrupted');
    this.#options.signal?.addEventListener('abort', abort, { once: true });
    if (this.#options.signal?.aborted === true) abort();
    try {
      return this.#finish(await promise);
    } finally {
      clearTimeout(timer);
      this.#options.signal?.removeEventListener('abort', abort);
    }
  }

  #finish(status: Result<number, Problem>): Result<JailResult, Problem> {
    if (!status.ok) return status;
    this.#line(this.#unfinished);
    if (this.#given === undefined && !this.#started) {
      const refusal = this.#lines.at(-1) ?? `it ended with status ${status.value}`;
      return failed({
        action: 'make the jail',
        reason: refusal,
        hint: 'it needs bubblewrap 0.8 or later and permission to create namespaces, which a container or chroot may not have',
      });
    }
    const end = this.#given ?? { kind: 'exit', status: status.value };
    return ok({
      end,
      lastLines: this.#lines,
      result: Buffer.concat(this.#result),
      unbounded: undefined,
    });
  }

  /** Writes the input; a command may exit without reading all of it. */
  #feed(): void {
    const { stdin } = this.#child;
    if (stdin === null) return;
    stdin.on('error', () => {});
    if (this.#options.input === undefined) stdin.end();
    else pipeline(this.#options.input, stdin).catch(() => stdin.destroy());
  }

  /**
   * Ends the jail early. bubblewrap's first process in the jail dies with it, and all others with
   * that. A process that has only just been made does not: it has not set its parent-death signal
   * yet.
   */
  #give(kind: 'time' | 'output' | 'result' | 'aborted', message: string): void {
    this.#given ??= { kind, message };
    this.#child.kill('SIGKILL');
    this.#cgroup?.kill();
  }

  #keep(bytes: Uint8Array): void {
    const chunk = this.#started ? bytes : bytes.subarray(1);
    this.#started = true;
    this.#resultBytes += chunk.length;
    if (this.#resultBytes <= this.#limits.resultBytes) this.#result.push(chunk);
    else this.#give('result', `made more than ${this.#limits.resultBytes} bytes`);
  }

  #read(text: string): void {
    this.#outputBytes += text.length;
    if (this.#outputBytes > this.#limits.outputBytes) {
      this.#give('output', `printed more than ${this.#limits.outputBytes} bytes`);
      return;
    }
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = (lines.pop() ?? '').slice(0, lineCharactersMax);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') return;
    const shown = printable(line.slice(0, lineCharactersMax).replaceAll('\t', ' '));
    this.#lines.push(shown);
    if (this.#lines.length > lastLinesMax) this.#lines.shift();
    this.#options.onLine?.(shown);
  }
}
