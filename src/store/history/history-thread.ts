/**
 * A thread that runs one query at a time. The first query starts it, and it stops after a while without queries, which
 * frees its memory. A query that takes too long is stopped together with the thread; the next one gets a new thread.
 */
import type { Worker } from 'node:worker_threads';
import type { Problem } from '../../../packages/base/problem.ts';
import { scriptFile } from '../../sys/package-files.ts';
import { startThread } from '../../sys/processes/thread-script.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import type { AnswerOf, QueryName, QueryOf } from './history-query.ts';
import type { HistoryRequest, HistoryReply, HistoryThreadData } from './history-worker.ts';

export interface ThreadOptions {
  readonly directory: string;
  /** The time that an idle thread is kept. */
  readonly idleMilliseconds: number;
  /** The time limit of one query. */
  readonly millisecondsMax: number;
  /** Called if the reader found damage: the file should be set aside. */
  readonly onDamage: (reason: string) => void;
}

type Answer = Result<AnswerOf<QueryName>, Problem>;

interface Running {
  readonly worker: Worker;
  /** The id of the query that should stop, which the thread reads before each row. */
  readonly stopped: Int32Array<SharedArrayBuffer>;
  current: Current | undefined;
  idle: NodeJS.Timeout | undefined;
}

interface Current {
  readonly id: number;
  readonly timer: NodeJS.Timeout;
  readonly settle: (answer: Answer) => void;
}

const script = scriptFile('store/history/history-worker');
/** Limits of the thread. A small young generation soon frees the bytes of rows, which are most of the memory. */
const resourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4 };

export class HistoryThread implements AsyncDisposable {
  readonly #options: ThreadOptions;
  #running: Running | undefined;
  #lastId = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get isBusy(): boolean {
    return this.#running?.current !== undefined;
  }

  /** Runs a query; must not be called while one runs. */
  ask(name: QueryName, query: QueryOf<QueryName>): Promise<Answer> {
    const running = (this.#running ??= this.#start());
    clearTimeout(running.idle);
    running.worker.ref();
    const id = ++this.#lastId;
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#timeOut(running), this.#options.millisecondsMax);
      running.current = { id, timer, settle };
      const request: HistoryRequest = { id, name, query };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      running.worker.postMessage(request);
    });
  }

  /** Makes the query that runs fail before it reads another row. */
  stop(): void {
    const running = this.#running;
    if (running?.current !== undefined) Atomics.store(running.stopped, 0, running.current.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#end(running, 'it was closed before the query finished');
    await running.worker.terminate();
  }

  #start(): Running {
    const stopped = new Int32Array(new SharedArrayBuffer(4));
    const worker = startThread(script, {
      workerData: { directory: this.#options.directory, stopped } satisfies HistoryThreadData,
      resourceLimits,
      execArgv: [],
      name: 'history',
    });
    const running: Running = { worker, stopped, current: undefined, idle: undefined };
    worker.on('message', (reply: HistoryReply) => this.#receive(running, reply));
    worker.on('error', (error) => this.#lose(running, messageOf(error)));
    worker.on('exit', () => this.#lose(running, 'its thread exited'));
    return running;
  }

  #receive(running: Running, { id, answer }: HistoryReply): void {
    const { current } = running;
    if (current?.id !== id) return;
    running.current = undefined;
    clearTimeout(current.timer);
    this.#rest(running);
    current.settle(answer);
    if (!answer.ok && answer.error.damage !== undefined) {
      this.#options.onDamage(answer.error.damage);
    }
  }

  #timeOut(running: Running): void {
    const seconds = this.#options.millisecondsMax / 1_000;
    this.#lose(running, `the answer took longer than ${seconds} s`, 'ask about a shorter period');
  }

  #lose(running: Running, reason: string, hint?: string): void {
    if (this.#running === running) this.#end(running, reason, hint);
  }

  #end(running: Running, reason: string, hint?: string): void {
    this.#running = undefined;
    clearTimeout(running.idle);
    const { current } = running;
    running.current = undefined;
    clearTimeout(current?.timer);
    void running.worker.terminate();
    const problem = { action: 'ask the history', reason };
    current?.settle(fail(hint === undefined ? problem : { ...problem, hint }));
  }

  /** Lets the thread idle: it does not keep the process alive, and is stopped after a while. */
  #rest(running: Running): void {
    running.worker.unref();
    running.idle = setTimeout(() => {
      if (this.#running === running && running.current === undefined) this.#end(running, '');
    }, this.#options.idleMilliseconds);
    running.idle.unref();
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
