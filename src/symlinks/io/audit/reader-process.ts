/** A process that reads homes, from outside: one request at a time. It is killed when it makes no progress. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { ok } from '../../../../packages/base/result.ts';
import { scriptFile } from '../../../sys/package-files.ts';
import { spawnScript } from '../../../sys/processes/child-script.ts';
import { beNice } from '../../../sys/processes/priority.ts';
import type { Accounts, AuditReply, AuditRequest } from './protocol.ts';

/** The time after which a silent process is killed. A disk may be busy, but it answers now and then. */
export const silenceMs = 60_000;
/** It reads whole homes, and nobody waits for it. */
const niceness = 5;

export class ReaderProcess implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #replies: AsyncIterator<string>;
  readonly #silenceMs: number;
  #errors = '';
  #isSilent = false;

  constructor(child: ChildProcessWithoutNullStreams, accounts: Accounts, silence: number) {
    this.#child = child;
    this.#silenceMs = silence;
    this.#replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stderr.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-2000);
    });
    this.#send({ kind: 'accounts', accounts });
  }

  static start(accounts: Accounts, silence = silenceMs): Result<ReaderProcess, Problem> {
    const started = spawnScript(scriptFile('symlinks/io/audit/main'));
    if (!started.ok) return started;
    beNice(started.value.pid, niceness);
    return ok(new ReaderProcess(started.value, accounts, silence));
  }

  /** Sends a request and passes all replies to `taken`; returns the cause if the process ended too early. */
  async ask(request: AuditRequest, taken: (reply: AuditReply) => void): Promise<Cause | undefined> {
    this.#send(request);
    for (;;) {
      const timer = setTimeout(() => {
        this.#isSilent = true;
        this.#child.kill('SIGKILL');
      }, this.#silenceMs);
      const line = await this.#replies.next();
      clearTimeout(timer);
      if (line.done === true) return this.#whyItEnded();
      const reply = JSON.parse(line.value) as AuditReply;
      taken(reply);
      if (reply.kind === 'done' || reply.kind === 'names') return undefined;
    }
  }

  #whyItEnded(): Cause {
    if (this.#isSilent) return { reason: `nothing could be read for ${this.#silenceMs / 1000} s` };
    const last = this.#errors.trim().split('\n').at(-1) ?? '';
    return { reason: `the process that reads it ended early${last === '' ? '' : `: ${last}`}` };
  }

  #send(request: AuditRequest): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
