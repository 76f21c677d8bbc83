/**
 * Lets another process answer questions about the policy, one at a time and in a fair order. The process stays for a
 * minute after its last answer, since its start takes most of the time of a question. It is killed if an answer takes too
 * long, or if nobody waits for it any more. Accounts may have a share of the time: no number of questions gets one more.
 */
import { causedBy, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { WorkBudget, type CoreShare } from '../../../packages/base/work-budget.ts';
import { FairQueue } from '../../store/history/fair-queue.ts';
import { refusal, refusedFor } from './job-answer.ts';
import type { PolicyJob, PolicyJobAnswer } from './policy-job.ts';
import { PolicyProcess } from './policy-process.ts';

const waitingMax = 32;
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
  /** The questions of one account that may wait; 32 do for all together. */
  readonly waitingEachMax?: number;
  /** The time that each account gets; without it none waits for its own. */
  readonly share?: CoreShare;
  /** The process's niceness. */
  readonly niceness?: number;
}

export class PolicyWorker implements Disposable {
  readonly #queue: FairQueue<Waiting>;
  readonly #options: PolicyWorkerOptions;
  readonly #budgets = new Map<number, WorkBudget>();
  #process: PolicyProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isOver = false;

  constructor(options: PolicyWorkerOptions) {
    this.#options = options;
    const { waitingEachMax: eachMax = waitingMax } = options;
    this.#queue = new FairQueue({ eachMax, totalMax: waitingMax });
  }

  /** The process that answers; undefined if none runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** `who`: the uid that pays. A question whose `signal` is aborted is given up; writing is not, once it has begun. */
  ask(who: number, job: PolicyJob, signal?: AbortSignal): Promise<PolicyJobAnswer> {
    if (this.#isOver) return Promise.resolve(busy);
    const wait = Math.ceil((this.#budgetOf(who)?.wait(performance.now()) ?? 0) / 1000);
    if (wait > 0) return Promise.resolve(refusedFor(wait, 429, tooMany));
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
      const now = performance.now();
      this.#queue.charge(who, now - since);
      this.#budgetOf(who)?.spend(now - since, now);
      next = this.#queue.take();
    }
    this.#isRunning = false;
    this.#idle = setTimeout(
      () => this.#end(),
      this.#options.idleMilliseconds ?? idleMilliseconds,
    ).unref();
  }

  #budgetOf(who: number): WorkBudget | undefined {
    const { share } = this.#options;
    if (share === undefined) return undefined;
    const found = this.#budgets.get(who) ?? new WorkBudget(share);
    this.#budgets.set(who, found);
    return found;
  }

  /** A process that ended between two questions is no reason to refuse one that only reads: another process gets it. */
  async #run(item: Waiting): Promise<PolicyJobAnswer> {
    const started = this.#processNow();
    if (!started.ok) return notStarted(item.job, started.error);
    const process = started.value;
    const wasUsed = process.answered > 0;
    const { answer, wasKilled } = await this.#runIn(process, item);
    if (answer !== undefined) return answer;
    const isAgain = wasUsed && !wasKilled && !writes(item.job) && !this.#isOver;
    if (isAgain) return this.#run(item);
    return wasKilled
      ? tookTooLong(this.#options.answerMilliseconds)
      : ended(item.job, process.lastWords);
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

  #processNow(): Result<PolicyProcess, Problem> {
    if (this.#process?.isUsable === true) return ok(this.#process);
    this.#end();
    const started = PolicyProcess.start(this.#options.niceness ?? 0);
    if (started.ok) this.#process = started.value;
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

/** The time in which some of the waiting questions are answered. */
const busySeconds = 5;

const busy = refusedFor(busySeconds, 429, {
  action,
  reason: 'too many questions about the policy are waiting',
});

const tooMany = { action, reason: 'you have asked too much about the policy' };

const abandoned = refusal(499, { action, reason: 'nobody waits for it any more' });

const tookTooLong = (milliseconds: number): PolicyJobAnswer =>
  refusal(503, {
    action,
    reason: `it took longer than ${Math.ceil(milliseconds / 1000)} s`,
    hint: 'retry when the host has less to do, or use the command line',
  });

const notStarted = (job: PolicyJob, problem: Problem): PolicyJobAnswer =>
  job.audience.kind === 'administrator'
    ? refusal(503, { action, ...causedBy(problem) })
    : refusal(503, { action, reason: 'the host cannot do it now', hint: 'retry later' });

/** Its last words may name the host's files, which only root may see. */
function ended({ audience }: PolicyJob, last: string): PolicyJobAnswer {
  const why = audience.kind === 'administrator' && last !== '' ? `: ${last}` : '';
  return refusal(503, {
    action,
    reason: `the process that does it ended early${why}`,
    hint: 'retry, or use the command line',
  });
}
