/**
 * Lets another process answer questions about the policy, one at a time and in a fair order. The process stays for a
 * minute after its last answer, since its start takes most of the time of a question. It is killed if an answer takes too
 * long, or if nobody waits for it any more.
 */
import { causedBy } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { FairQueue } from '../../store/history/fair-queue.ts';
import { refusal } from './job-answer.ts';
import type { PolicyJob, PolicyJobAnswer } from './policy-job.ts';
import { PolicyProcess } from './policy-process.ts';

const queueBounds = { eachMax: 8, totalMax: 32 };
/** The time for which a process without a question stays. */
const idleMilliseconds = 60_000;
/** The time for which a question goes on that nobody waits for: most are answered by then, and the process stays. */
const abandonedMilliseconds = 1_000;

interface Waiting {
  readonly job: PolicyJob;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (answer: PolicyJobAnswer) => void;
}

export interface PolicyWorkerOptions {
  /** The time for one answer. */
  readonly answerMilliseconds: number;
  readonly idleMilliseconds?: number;
}

export class PolicyWorker implements Disposable {
  readonly #queue = new FairQueue<Waiting>(queueBounds);
  readonly #options: PolicyWorkerOptions;
  #process: PolicyProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isOver = false;

  constructor(options: PolicyWorkerOptions) {
    this.#options = options;
  }

  /** The process that answers; undefined if none runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** `who`: the uid that pays. A question whose `signal` is aborted is given up; writing is not, once it has begun. */
  ask(who: number, job: PolicyJob, signal?: AbortSignal): Promise<PolicyJobAnswer> {
    if (this.#isOver) return Promise.resolve(busy);
    return new Promise((resolve) => {
      const waiting: Waiting = { job, signal, resolve };
      const added = this.#queue.add(who, waiting);
      if (added.kind === 'refused') resolve(busy);
      if (added.kind === 'displaced') added.item.resolve(busy);
      const abandon = () => {
        this.#queue.remove(who, waiting);
        resolve(abandoned);
      };
      signal?.addEventListener('abort', abandon, { once: true });
      void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    clearTimeout(this.#idle);
    for (let next = this.#queue.take(); next !== undefined && !this.#isOver;) {
      const { who, item } = next;
      const since = performance.now();
      item.resolve(item.signal?.aborted === true ? abandoned : await this.#run(item));
      this.#queue.charge(who, performance.now() - since);
      next = this.#queue.take();
    }
    this.#isRunning = false;
    this.#idle = setTimeout(
      () => this.#end(),
      this.#options.idleMilliseconds ?? idleMilliseconds,
    ).unref();
  }

  /** A process that ended between two questions is no reason to refuse one that only reads: another process gets it. */
  async #run(item: Waiting): Promise<PolicyJobAnswer> {
    const started = this.#processNow();
    if (!started.ok) return started.error;
    const process = started.value;
    const wasUsed = process.answered > 0;
    const { answer, wasKilled } = await this.#runIn(process, item);
    if (answer !== undefined) return answer;
    const isAgain = wasUsed && !wasKilled && !writes(item.job) && !this.#isOver;
    return isAgain ? this.#run(item) : ended(process.lastWords);
  }

  async #runIn(process: PolicyProcess, { job, signal }: Waiting) {
    let wasKilled = false;
    const kill = () => {
      wasKilled = true;
      process.kill();
    };
    const timers = [setTimeout(kill, this.#options.answerMilliseconds).unref()];
    const abandon = () => void timers.push(setTimeout(kill, abandonedMilliseconds).unref());
    if (!writes(job)) signal?.addEventListener('abort', abandon, { once: true });
    try {
      return { answer: await process.ask(job), wasKilled };
    } finally {
      timers.forEach(clearTimeout);
      signal?.removeEventListener('abort', abandon);
    }
  }

  #processNow(): Result<PolicyProcess, PolicyJobAnswer> {
    if (this.#process?.isUsable === true) return ok(this.#process);
    this.#end();
    const started = PolicyProcess.start();
    if (!started.ok) return fail(refusal(503, { action, ...causedBy(started.error) }));
    this.#process = started.value;
    return started;
  }

  #end(): void {
    this.#process?.kill();
    this.#process = undefined;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
    for (const { resolve } of this.#queue.removeAll()) resolve(busy);
    this.#end();
  }
}

const writes = ({ question }: PolicyJob): boolean =>
  question.kind === 'write' || question.kind === 'go back';

const action = 'answer about the policy';

const busy = refusal(503, {
  action,
  reason: 'too many questions about the policy are waiting',
  hint: 'retry later',
});

const abandoned = refusal(499, { action, reason: 'nobody waits for it any more' });

const ended = (last: string): PolicyJobAnswer =>
  refusal(503, {
    action,
    reason: `the process that does it ended early${last === '' ? '' : `: ${last}`}`,
    hint: 'retry, or use the command line',
  });
