/**
 * Lets another process answer questions about the policy, one at a time and in a fair order, and kills it if it takes too
 * long or nobody waits any more.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { deserialize, serialize } from 'node:v8';
import { causedBy } from '../../../packages/base/problem.ts';
import { FairQueue } from '../../store/history/fair-queue.ts';
import { outputOf, spawnScript } from '../../sys/processes/child-script.ts';
import { scriptFile } from '../../sys/package-files.ts';
import { refusal } from './job-answer.ts';
import type { PolicyJob, PolicyJobAnswer } from './policy-job.ts';

const heapMebibytes = 1024;
const answerBytesMax = 128 * 2 ** 20;
const queueBounds = { eachMax: 8, totalMax: 32 };

interface Waiting {
  readonly job: PolicyJob;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (answer: PolicyJobAnswer) => void;
}

export class PolicyWorker implements Disposable {
  readonly #queue = new FairQueue<Waiting>(queueBounds);
  readonly #milliseconds: number;
  #child: ChildProcessWithoutNullStreams | undefined;
  #isRunning = false;
  #isOver = false;

  /** `milliseconds`: for one answer. */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** `who`: the uid that pays. A question whose `signal` is aborted is given up; writing is not, once it has begun. */
  ask(who: number, job: PolicyJob, signal?: AbortSignal): Promise<PolicyJobAnswer> {
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
    for (let next = this.#queue.take(); next !== undefined && !this.#isOver;) {
      const { who, item } = next;
      const since = performance.now();
      item.resolve(item.signal?.aborted === true ? abandoned : await this.#run(item));
      this.#queue.charge(who, performance.now() - since);
      next = this.#queue.take();
    }
    this.#isRunning = false;
  }

  async #run({ job, signal }: Waiting): Promise<PolicyJobAnswer> {
    const started = spawnScript(scriptFile('policy-child'), [], heapMebibytes);
    if (!started.ok) return refusal(503, { action, ...causedBy(started.error) });
    const child = started.value;
    this.#child = child;
    const kill = () => void child.kill('SIGKILL');
    const timer = setTimeout(kill, this.#milliseconds).unref();
    const canEnd = job.question.kind !== 'write' && job.question.kind !== 'go back';
    if (canEnd) signal?.addEventListener('abort', kill, { once: true });
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stdin.end(serialize(job));
    try {
      const { stdout, stderr } = await outputOf(child, answerBytesMax);
      return decode(stdout) ?? ended(stderr.toString().trim().split('\n').at(-1) ?? '');
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      this.#child = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const { resolve } of this.#queue.removeAll()) resolve(busy);
    this.#child?.kill('SIGKILL');
  }
}

const action = 'answer about the policy';

const busy = refusal(503, {
  action,
  reason: 'too many questions about the policy are waiting',
  hint: 'retry later',
});

const abandoned = refusal(499, { action, reason: 'nobody waits for it any more' });

function decode(stdout: Buffer): PolicyJobAnswer | undefined {
  try {
    return deserialize(stdout) as PolicyJobAnswer;
  } catch {
    return undefined;
  }
}

const ended = (last: string): PolicyJobAnswer =>
  refusal(503, {
    action,
    reason: `the process that does it ended early${last === '' ? '' : `: ${last}`}`,
    hint: 'retry, or use the command line',
  });
