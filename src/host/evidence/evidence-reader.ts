/**
 * Asks another process to look at processes, since looking at a hostile one may never end.
 *
 * It is started when it is needed and ended when it has not been for a minute. One that does not
 * answer in time is killed and left to itself (the kernel may not let go of it), and the question
 * is asked again without arguments. After several of those nobody's arguments are read for a while.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ProcessEvidence } from '../../usage/incident.ts';
import { scriptBeside, spawnScript } from '../child-script.ts';
import type { EvidenceReply, EvidenceRequest } from './gather.ts';

const answerMilliseconds = 3000;
const idleMilliseconds = 60_000;
/** Hung readers that are put up with before arguments are left alone for `restMilliseconds`. */
const mostHangs = 3;
const restMilliseconds = 600_000;
const mostWaiting = 200;

interface Question {
  readonly request: EvidenceRequest;
  readonly answer: (processes: readonly ProcessEvidence[]) => void;
}

export class EvidenceReader implements Disposable {
  readonly #proc: string;
  readonly #waiting: Question[] = [];
  #child: ChildProcessWithoutNullStreams | undefined;
  #current: Question | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hangs: number[] = [];
  #lastId = 0;

  constructor(proc: string) {
    this.#proc = proc;
  }

  /** The largest of these processes, at most `most`; none where too many have asked before. */
  read(pids: readonly number[], most: number): Promise<readonly ProcessEvidence[]> {
    if (pids.length === 0 || this.#waiting.length >= mostWaiting) return Promise.resolve([]);
    return new Promise((answer) => {
      const request = { id: ++this.#lastId, pids, most, commands: this.#mayReadCommands() };
      this.#waiting.push({ request, answer });
      this.#next();
    });
  }

  #mayReadCommands(): boolean {
    const since = performance.now() - restMilliseconds;
    this.#hangs = this.#hangs.filter((each) => each > since);
    return this.#hangs.length < mostHangs;
  }

  #next(): void {
    if (this.#current !== undefined) return;
    clearTimeout(this.#timer);
    const question = this.#waiting.shift();
    if (question === undefined) {
      this.#timer = setTimeout(() => this.#end(), idleMilliseconds).unref();
      return;
    }
    this.#current = question;
    this.#timer = setTimeout(() => this.#hung(), answerMilliseconds).unref();
    this.#child ??= this.#start();
    if (this.#child === undefined) {
      this.#finish([]);
      return;
    }
    this.#child.stdin.write(`${JSON.stringify(question.request)}\n`);
  }

  #start(): ChildProcessWithoutNullStreams | undefined {
    const started = spawnScript(scriptBeside(import.meta.url, './main'), [this.#proc]);
    if (!started.ok) return undefined;
    const child = started.value;
    child.on('error', () => this.#gone(child));
    child.on('exit', () => this.#gone(child));
    child.stdin.on('error', () => {});
    child.stderr.resume();
    createInterface({ input: child.stdout }).on('line', (line) => this.#answered(line));
    return child;
  }

  #answered(line: string): void {
    const reply = JSON.parse(line) as EvidenceReply;
    if (this.#current?.request.id !== reply.id) return;
    this.#finish(reply.processes);
  }

  #finish(processes: readonly ProcessEvidence[]): void {
    const question = this.#current;
    this.#current = undefined;
    question?.answer(processes);
    this.#next();
  }

  #hung(): void {
    const question = this.#current;
    this.#end();
    this.#hangs.push(performance.now());
    if (question === undefined) return;
    this.#current = undefined;
    if (question.request.commands) {
      this.#waiting.unshift({ ...question, request: { ...question.request, commands: false } });
      this.#next();
    } else {
      this.#current = question;
      this.#finish([]);
    }
  }

  #gone(child: ChildProcessWithoutNullStreams): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#current !== undefined) this.#finish([]);
  }

  #end(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill('SIGKILL');
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#end();
    for (const { answer } of this.#waiting.splice(0)) answer([]);
    this.#current?.answer([]);
  }
}
