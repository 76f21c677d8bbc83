/**
 * One database server as the agent sees it, through a worker process. Whatever the server does, a call here takes a
 * limited time, and no second one waits behind it.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { Lines } from '../../../sys/lines.ts';
import { scriptFile } from '../../../sys/package-files.ts';
import { spawnScript } from '../../../sys/processes/child-script.ts';
import { within } from './wait.ts';
import type { Ending } from '../../core/backstops.ts';
import type { ServerAccount, WantedNumber } from '../../core/connection-numbers.ts';
import type { Look } from '../../core/look.ts';
import {
  answerBytesMax,
  readAnswer,
  type WorkerAnswer,
  type WorkerRequest,
} from '../../core/messages.ts';
import type { ServerProcess } from '../../core/peers/peer-maps.ts';
import type { Login } from '../client/connect.ts';
import type { ServerAddress } from '../open-server.ts';
import { findServerProcess } from '../peers/server-process.ts';

export interface WatchedOptions {
  readonly address: ServerAddress;
  /** Called for each connection, since the file with the login may change. */
  readonly login: () => Login;
  /** The account that the worker runs as. */
  readonly worker: { readonly uid: number; readonly gid: number };
  readonly clock?: () => number;
  /** How long the worker may take to answer; it gives the server one second. */
  readonly answerMilliseconds?: number;
  readonly script?: string;
}

/** `hung`: it has accepted connections or statements twice, and not answered. */
export type ServerState =
  | { readonly kind: 'starting' }
  | {
      readonly kind: 'seen';
      readonly version: string;
      readonly missing: readonly string[];
      readonly process: ServerProcess | undefined;
    }
  | { readonly kind: 'away'; readonly reason: string }
  | { readonly kind: 'hung'; readonly reason: string };

type Asked = WorkerAnswer | { readonly kind: 'busy' };

const script = scriptFile('database/io/worker/main');
/** It gives the server a second for each reply, and no answer has more than some dozens of replies. */
const answerMillisecondsMax = 60_000;
/** The time between attempts: 1, 2, 4 … 30 s for a server that is down, and 10 s for one that hangs. */
const pauseMilliseconds = { first: 1000, max: 30_000, hung: 10_000 };
const hungAfter = 2;
/** More are set the next time. */
const numbersMax = 1000;

export class WatchedServer implements Disposable {
  readonly address: ServerAddress;
  readonly #options: WatchedOptions;
  readonly #clock: () => number;
  state: ServerState = { kind: 'starting' };
  #child: ChildProcessWithoutNullStreams | undefined;
  #answered: ((answer: WorkerAnswer | undefined) => void) | undefined;
  #isBusy = false;
  #isConnected = false;
  #failures = 0;
  #late = 0;
  #nextAt = -Infinity;

  constructor(options: WatchedOptions) {
    this.#options = options;
    this.address = options.address;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** The worker's pid, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Returns a look, after connecting if it is time for that; undefined if the server shows nothing now. `only`: the accounts
   * whose counters are needed. `transactions`: whether it is needed which connections wait in a transaction.
   */
  async look(only?: readonly string[], transactions = true): Promise<Look | undefined> {
    if (!this.#isConnected && !(await this.#connect())) return undefined;
    const part = only === undefined ? {} : { only };
    const answer = await this.#ask({ kind: 'look', ...part, transactions });
    if (answer?.kind === 'look') {
      this.#failures = 0;
      this.#late = 0;
      return answer.look;
    }
    this.#lost(answer);
    return undefined;
  }

  /** Ends sessions, and returns the ids of those that were ended. */
  async end(endings: readonly Ending[]): Promise<readonly number[]> {
    if (!this.#isConnected || endings.length === 0) return [];
    const answer = await this.#ask({ kind: 'end', endings });
    return answer?.kind === 'ended' ? answer.ids : [];
  }

  /** Returns the accounts of the server, or those of some names; undefined if they are not known now. */
  async accounts(names?: readonly string[]): Promise<readonly ServerAccount[] | undefined> {
    const request = { kind: 'accounts', ...(names === undefined ? {} : { names }) } as const;
    const answer = this.#isConnected ? await this.#ask(request) : undefined;
    return answer?.kind === 'accounts' ? answer.accounts : undefined;
  }

  /** Sets numbers of connections. Returns what failed. */
  async cap(numbers: readonly WantedNumber[]): Promise<readonly string[]> {
    if (!this.#isConnected || numbers.length === 0) return [];
    const answer = await this.#ask({ kind: 'cap', numbers: numbers.slice(0, numbersMax) });
    return answer?.kind === 'capped' ? answer.problems : [];
  }

  async #connect(): Promise<boolean> {
    if (this.#clock() < this.#nextAt) return false;
    const { address, login } = this.#options;
    const { at: socket, server } = address;
    const answer = await this.#ask({ kind: 'connect', socket, server, ...login() });
    if (answer?.kind !== 'connected') {
      this.#lost(answer);
      return false;
    }
    const { version, missing, pid } = answer;
    this.#isConnected = true;
    this.state = { kind: 'seen', version, missing, process: findServerProcess(pid, server.uid) };
    return true;
  }

  /** Notes a failure, and when to try again. A call while another is in progress is none. */
  #lost(answer: Asked | undefined): void {
    if (answer?.kind === 'busy') return;
    const failed = answer?.kind === 'failed' ? answer : undefined;
    const reason = failed?.reason ?? 'the process that asks it has ended, or did not answer';
    this.#isConnected = false;
    this.#failures += 1;
    this.#late = failed?.hung === false ? 0 : this.#late + 1;
    const isHung = this.#late >= hungAfter;
    const { first, max, hung } = pauseMilliseconds;
    const doubled = Math.min(max, first * 2 ** Math.min(this.#failures - 1, 10));
    this.state = { kind: isHung ? 'hung' : 'away', reason };
    this.#nextAt = this.#clock() + (isHung ? hung : doubled);
  }

  /** Asks the worker. Undefined: it is gone, or sent something else than an answer. */
  async #ask(request: WorkerRequest): Promise<Asked | undefined> {
    if (this.#isBusy) return { kind: 'busy' };
    this.#isBusy = true;
    try {
      const child = this.#child ?? this.#spawn();
      if (typeof child === 'string') return { kind: 'failed', reason: child, hung: false };
      const answer = new Promise<WorkerAnswer | undefined>((resolve) => {
        this.#answered = resolve;
      });
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const limit = this.#options.answerMilliseconds ?? answerMillisecondsMax;
      const found = await within(answer, limit);
      if (found === undefined) this.#drop();
      return found;
    } finally {
      this.#answered = undefined;
      this.#isBusy = false;
    }
  }

  #spawn(): ChildProcessWithoutNullStreams | string {
    const { uid, gid } = this.#options.worker;
    const started = spawnScript(this.#options.script ?? script, [`${uid}`, `${gid}`], 64);
    if (!started.ok) return formatProblem(started.error);
    const child = started.value;
    const lines = new Lines(answerBytesMax, (line) => {
      if (this.#child === child) this.#take(line);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      if (this.#child === child && !lines.add(chunk)) this.#drop();
    });
    // Its messages are answers; a crash shows itself by the exit.
    child.stderr.resume();
    child.stdin.on('error', () => {});
    child.on('error', () => {});
    child.on('exit', () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#answered?.(undefined);
    });
    this.#child = child;
    return child;
  }

  /** Takes one answer for each question. A worker that says more could keep this process busy with reading it. */
  #take(line: string): void {
    const answered = this.#answered;
    const answer = answered === undefined ? undefined : readAnswer(line);
    if (answered === undefined || answer === undefined) return this.#drop();
    this.#answered = undefined;
    answered(answer);
  }

  #drop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    this.#isConnected = false;
    this.#answered?.(undefined);
  }

  [Symbol.dispose](): void {
    this.#drop();
  }
}
