/**
 * Records logins to the console in the background: several at once, since each write waits for the disk. What was refused
 * is only counted, so that nobody fills the record by trying.
 */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { RecordedLogin } from '../../store/changes/login-store.ts';

const writeMilliseconds = 1_000;
const countMilliseconds = 60_000;
/** The logins that wait to be written; each is in the log, too. */
const waitingMax = 1_000;

interface LoginRecordOptions {
  readonly write: (logins: readonly RecordedLogin[]) => Result<void, Problem>;
  readonly error: (line: string) => void;
}

export class LoginRecord implements Disposable {
  readonly #options: LoginRecordOptions;
  #waiting: RecordedLogin[] = [];
  #refused = 0;
  #timer: NodeJS.Timeout | undefined;
  #countTimer: NodeJS.Timeout | undefined;
  #problem = '';

  constructor(options: LoginRecordOptions) {
    this.#options = options;
  }

  add(login: Omit<RecordedLogin, 'at'>): void {
    if (this.#waiting.length >= waitingMax) this.#waiting.shift();
    this.#waiting.push({ at: Date.now(), ...login });
    this.#timer ??= setTimeout(() => this.write(), writeMilliseconds).unref();
  }

  /** Counts a code or token that was not valid. */
  refused(): void {
    this.#refused++;
    this.#countTimer ??= setTimeout(() => this.#count(), countMilliseconds).unref();
  }

  #count(): void {
    clearTimeout(this.#countTimer);
    this.#countTimer = undefined;
    if (this.#refused > 0) this.add({ kind: 'refused', count: this.#refused });
    this.#refused = 0;
  }

  /** Writes what waits. What cannot be written waits on. */
  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const written = this.#options.write(this.#waiting);
    if (written.ok) {
      this.#waiting = [];
      this.#problem = '';
      return;
    }
    const problem = formatProblem(written.error);
    if (problem !== this.#problem) this.#options.error(problem);
    this.#problem = problem;
    this.#timer = setTimeout(() => this.write(), countMilliseconds).unref();
  }

  [Symbol.dispose](): void {
    this.#count();
    this.write();
    clearTimeout(this.#timer);
  }
}
