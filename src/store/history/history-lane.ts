/**
 * A queue of history queries with its own thread, and optionally a budget for the thread's work. A
 * query waits for a bounded time, and no longer than its caller.
 */
import { fail, type Result } from '../../../packages/base/result.ts';
import { FairQueue, type QueueBounds } from './fair-queue.ts';
import {
  nobodyWaits,
  type AnswerOf,
  type HistoryFailure,
  type QueryName,
  type QueryOf,
} from './history-query.ts';
import { HistoryThread, type ThreadOptions } from './history-thread.ts';
import { WorkBudget, type CoreShare } from '../../../packages/base/work-budget.ts';

export interface LaneOptions extends ThreadOptions, QueueBounds {
  readonly patienceMilliseconds: number;
  /** The thread's share of a core; unlimited if absent. */
  readonly share?: CoreShare;
}

interface Asking<Name extends QueryName = QueryName> {
  /** The caller that is charged. */
  readonly who: number;
  readonly name: Name;
  readonly query: QueryOf<Name>;
  /** The time when its request was received: monotonic. Patience counts from then. */
  readonly since: number;
  /** A signal that is aborted if nobody waits for the result any more. */
  readonly signal: AbortSignal | undefined;
}

type Answer = Result<AnswerOf<QueryName>, HistoryFailure>;

interface Waiting {
  readonly asking: Asking;
  readonly settle: (answer: Answer) => void;
  readonly timer: NodeJS.Timeout;
  readonly leave: () => void;
}

const action = 'ask the history';
const closed: HistoryFailure = { action, reason: 'it is closed' };

export class HistoryLane implements AsyncDisposable {
  readonly #options: LaneOptions;
  readonly #queue: FairQueue<Waiting>;
  readonly #thread: HistoryThread;
  readonly #budget: WorkBudget | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options);
    this.#thread = new HistoryThread(options);
    this.#budget = options.share && new WorkBudget(options.share);
  }

  /** Whether its thread runs now. */
  get isRunning(): boolean {
    return this.#thread.isRunning;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  ask(asking: Asking): Promise<Answer> {
    if (this.#isClosed) return Promise.resolve(fail(closed));
    if (asking.signal?.aborted === true) return Promise.resolve(fail(nobodyWaits));
    return new Promise((settle) => {
      const leave = () => this.#drop(waiting, nobodyWaits);
      const late = () => this.#drop(waiting, this.#busy(this.#lateWords()));
      const patience = asking.since + this.#options.patienceMilliseconds - performance.now();
      const timer = setTimeout(late, Math.max(0, patience));
      const waiting: Waiting = { asking, settle, timer, leave };
      asking.signal?.addEventListener('abort', leave, { once: true });
      const added = this.#queue.add(asking.who, waiting);
      if (added.kind === 'refused') this.#settle(waiting, fail(this.#busy(this.#tooManyWords())));
      if (added.kind === 'displaced') {
        this.#settle(added.item, fail(this.#busy('others have fewer queries waiting')));
      }
      this.#next();
    });
  }

  /** Stops the thread; waiting queries fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const each of this.#queue.removeAll()) this.#settle(each, fail(closed));
    await this.#thread[Symbol.asyncDispose]();
  }

  #next(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || this.#thread.isBusy || this.#queue.length === 0) return;
    const wait = this.#budget?.wait(performance.now()) ?? 0;
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#next(), Math.ceil(wait));
      return;
    }
    const taken = this.#queue.take();
    if (taken !== undefined) void this.#work(taken.item);
  }

  async #work(waiting: Waiting): Promise<void> {
    const { asking } = waiting;
    this.#release(waiting);
    const begin = performance.now();
    const stop = () => this.#thread.stop();
    asking.signal?.addEventListener('abort', stop, { once: true });
    const answer = await this.#thread.ask(asking.name, asking.query);
    asking.signal?.removeEventListener('abort', stop);
    const end = performance.now();
    this.#queue.charge(asking.who, end - begin);
    this.#budget?.spend(end - begin, end);
    waiting.settle(answer);
    this.#next();
  }

  #drop(waiting: Waiting, failure: HistoryFailure): void {
    this.#queue.remove(waiting.asking.who, waiting);
    this.#settle(waiting, fail(failure));
    this.#next();
  }

  #settle(waiting: Waiting, answer: Answer): void {
    this.#release(waiting);
    waiting.settle(answer);
  }

  /** Removes a query, which no longer waits. */
  #release({ asking, timer, leave }: Waiting): void {
    clearTimeout(timer);
    asking.signal?.removeEventListener('abort', leave);
  }

  #busy(reason: string): HistoryFailure {
    const wait = this.#budget?.wait(performance.now()) ?? 0;
    const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1_000));
    return { action, reason, hint: `ask again in ${retryAfterSeconds} s`, retryAfterSeconds };
  }

  #tooManyWords(): string {
    const { eachMax, totalMax } = this.#options;
    return this.#queue.length >= totalMax
      ? `${totalMax} queries are waiting already`
      : `${eachMax} of your queries are waiting already`;
  }

  #lateWords(): string {
    const { share, patienceMilliseconds } = this.#options;
    const waited = `the query waited for ${patienceMilliseconds / 1_000} s`;
    if (share === undefined) return waited;
    return `${waited}, since tenants share ${share.share * 100} % of a core for theirs`;
  }
}
