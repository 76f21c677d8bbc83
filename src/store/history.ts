/**
 * Questions to the history, answered in a thread of their own, so that none delays a tick.
 *
 * One is answered at a time and 32 may wait. The thread is started by the first and ended when
 * nobody has asked for 30 s, which gives its memory back. A question that takes longer than 30 s is
 * ended together with its thread; the next one gets another.
 */
import { Worker } from 'node:worker_threads';
import { fail, ok, type Result } from '../units/result.ts';
import type { AnswerOf, QueryName, QueryOf } from './history-query.ts';
import type { Question, Reply } from './history-worker.ts';

export interface HistoryOptions {
  readonly idleMilliseconds?: number;
  readonly mostMilliseconds?: number;
  /** The reader met damage: the file should be set aside. */
  readonly onDamage?: (reason: string) => void;
}

interface Waiting {
  readonly name: QueryName;
  readonly query: QueryOf<QueryName>;
  readonly settle: (result: Result<AnswerOf<QueryName>>) => void;
}

interface Thread {
  readonly worker: Worker;
  current: (Waiting & { readonly id: number; readonly timer: NodeJS.Timeout }) | undefined;
  idle: NodeJS.Timeout | undefined;
}

const mostWaiting = 32;
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const script = new URL(`./history-worker.${extension}`, import.meta.url);
/** A small young generation lets go of the bytes of rows soon, and they are most of the memory. */
const resourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4 };

export class History implements AsyncDisposable {
  readonly #directory: string;
  readonly #idleMilliseconds: number;
  readonly #mostMilliseconds: number;
  readonly #onDamage: (reason: string) => void;
  readonly #queue: Waiting[] = [];
  #thread: Thread | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(directory: string, options: HistoryOptions = {}) {
    this.#directory = directory;
    this.#idleMilliseconds = options.idleMilliseconds ?? 30_000;
    this.#mostMilliseconds = options.mostMilliseconds ?? 30_000;
    this.#onDamage = options.onDamage ?? (() => undefined);
  }

  usage(query: QueryOf<'usage'>): Promise<Result<AnswerOf<'usage'>>> {
    return this.#ask('usage', query);
  }

  quantiles(query: QueryOf<'quantiles'>): Promise<Result<AnswerOf<'quantiles'>>> {
    return this.#ask('quantiles', query);
  }

  series(query: QueryOf<'series'>): Promise<Result<AnswerOf<'series'>>> {
    return this.#ask('series', query);
  }

  peakTotal(query: QueryOf<'peakTotal'>): Promise<Result<AnswerOf<'peakTotal'>>> {
    return this.#ask('peakTotal', query);
  }

  /** Whether its thread runs now. */
  get isRunning(): boolean {
    return this.#thread !== undefined;
  }

  /** Ends the thread; what waits is answered with a failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const failure = 'The history was closed before the question was answered';
    for (const { settle } of this.#queue.splice(0)) settle(fail(failure));
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#end(thread, failure);
    await thread.worker.terminate();
  }

  #ask<Name extends QueryName>(name: Name, query: QueryOf<Name>): Promise<Result<AnswerOf<Name>>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.resolve(fail(refusal));
    return new Promise((resolve) => {
      const settle = (result: Result<AnswerOf<QueryName>>) => {
        resolve(result);
      };
      this.#queue.push({ name, query, settle });
      this.#next();
    });
  }

  #refusal(): string | undefined {
    if (this.#isClosed) return 'Cannot ask the history: it is closed';
    if (this.#queue.length < mostWaiting) return undefined;
    return `Cannot ask the history: ${mostWaiting} questions are waiting already; ask again later`;
  }

  #next(): void {
    if (this.#thread?.current !== undefined) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) {
      this.#rest();
      return;
    }
    const thread = (this.#thread ??= this.#start());
    clearTimeout(thread.idle);
    thread.worker.ref();
    const id = ++this.#lastId;
    const timer = setTimeout(() => this.#timeOut(thread), this.#mostMilliseconds);
    thread.current = { ...waiting, id, timer };
    const question: Question = { id, name: waiting.name, query: waiting.query };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    thread.worker.postMessage(question);
  }

  #start(): Thread {
    const worker = new Worker(script, {
      workerData: { directory: this.#directory },
      resourceLimits,
      execArgv: [],
      name: 'history',
    });
    const thread: Thread = { worker, current: undefined, idle: undefined };
    worker.on('message', (reply: Reply) => this.#receive(thread, reply));
    worker.on('error', (error) => this.#lose(thread, messageOf(error)));
    worker.on('exit', () => this.#lose(thread, 'its thread ended'));
    return thread;
  }

  #receive(thread: Thread, { id, answer }: Reply): void {
    const { current } = thread;
    if (current?.id !== id) return;
    thread.current = undefined;
    clearTimeout(current.timer);
    if (answer.ok) current.settle(ok(answer.value));
    else {
      current.settle(fail(answer.error.text));
      if (answer.error.damage !== undefined) this.#onDamage(answer.error.damage);
    }
    this.#next();
  }

  #timeOut(thread: Thread): void {
    const seconds = this.#mostMilliseconds / 1_000;
    this.#lose(thread, `it took longer than ${seconds} s; ask about a shorter period`);
  }

  /** The question it had fails; the ones behind it get another thread. */
  #lose(thread: Thread, reason: string): void {
    if (this.#thread !== thread) return;
    this.#end(thread, `Cannot answer the question to the history: ${reason}`);
    this.#next();
  }

  #end(thread: Thread, failure: string): void {
    this.#thread = undefined;
    clearTimeout(thread.idle);
    const { current } = thread;
    thread.current = undefined;
    if (current !== undefined) {
      clearTimeout(current.timer);
      current.settle(fail(failure));
    }
    void thread.worker.terminate();
  }

  /** Nothing to do: the thread keeps no process alive, and ends after a while. */
  #rest(): void {
    const thread = this.#thread;
    if (thread === undefined) return;
    thread.worker.unref();
    clearTimeout(thread.idle);
    thread.idle = setTimeout(() => {
      if (this.#thread === thread && thread.current === undefined) this.#end(thread, '');
    }, this.#idleMilliseconds);
    thread.idle.unref();
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
