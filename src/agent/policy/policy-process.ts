/**
 * A process that answers questions about the policy, one at a time, until it is killed: the next question then finds its
 * code loaded. Each question has a number, and the answer must have the same one.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { scriptFile } from '../../sys/package-files.ts';
import { spawnScript } from '../../sys/processes/child-script.ts';
import { beNice } from '../../sys/processes/priority.ts';
import { Frames, frameOf } from '../../sys/processes/frames.ts';
import type { PolicyJob, PolicyJobAnswer } from './policy-job.ts';

const heapMebibytes = 1024;
const answerBytesMax = 128 * 2 ** 20;
const lastWordsMax = 4_096;
const script = scriptFile('policy-child');

/** A question, as the process gets it. */
export interface NumberedJob {
  readonly number: number;
  readonly job: PolicyJob;
}

/** Its answer. */
export interface NumberedAnswer {
  readonly number: number;
  readonly answer: PolicyJobAnswer;
  /** Whether the process ends now: it has answered enough, or has become large. */
  readonly isLast: boolean;
}

export class PolicyProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #frames = new Frames(answerBytesMax);
  /** The file of the script at the start. */
  readonly #build = buildNow();
  #number = 0;
  #answered = 0;
  #settle: ((answer: PolicyJobAnswer | undefined) => void) | undefined;
  #lastWords = '';
  #isOver = false;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.on('error', () => this.kill());
    child.on('close', () => this.kill());
    child.stdin.on('error', () => {});
    child.stdout.on('error', () => {});
    child.stderr.on('error', () => {});
    child.stdout.on('data', (chunk: Buffer) => this.#hear(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString()).slice(-lastWordsMax);
    });
  }

  /** `niceness`: as nice(1) has it. */
  static start(niceness: number): Result<PolicyProcess, Problem> {
    const started = spawnScript(script, [], heapMebibytes);
    if (!started.ok) return started;
    const { pid } = started.value;
    if (niceness > 0) beNice(pid, niceness);
    return ok(new PolicyProcess(started.value));
  }

  /** Whether it can be asked again: it runs, and other files were not installed since. */
  get isUsable(): boolean {
    return !this.#isOver && this.#build !== undefined && this.#build === buildNow();
  }

  /** The number of its answers. */
  get answered(): number {
    return this.#answered;
  }

  /** Its pid, while it runs. */
  get pid(): number | undefined {
    return this.#isOver ? undefined : this.#child.pid;
  }

  /** The last line of its standard error. */
  get lastWords(): string {
    return this.#lastWords.trim().split('\n').at(-1) ?? '';
  }

  /** Asks; only once the question before has its answer. Resolves to undefined if the process ends without one. */
  ask(job: PolicyJob): Promise<PolicyJobAnswer | undefined> {
    if (this.#isOver) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#settle = resolve;
      const numbered: NumberedJob = { number: ++this.#number, job };
      this.#child.stdin.write(frameOf(numbered));
    });
  }

  #hear(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      for (const message of this.#frames.add(chunk)) this.#receive(message as NumberedAnswer);
    } catch {
      // Something else than an answer: whatever comes after it cannot be told apart.
      this.kill();
    }
  }

  #receive({ number, answer, isLast }: NumberedAnswer): void {
    if (number !== this.#number || this.#settle === undefined) return this.kill();
    const settle = this.#settle;
    this.#settle = undefined;
    this.#answered++;
    if (isLast) this.kill();
    settle(answer);
  }

  /** Ends it; a question in progress gets no answer. */
  kill(): void {
    this.#isOver = true;
    this.#child.kill('SIGKILL');
    this.#settle?.(undefined);
    this.#settle = undefined;
  }
}

function buildNow(): string | undefined {
  const found = statSync(script, { throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`;
}
