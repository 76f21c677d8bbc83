/** Lets a change of the policy go back by itself at its time, unless it is kept or the policy is edited meanwhile. */
import { readPolicyFile } from '../../host/policy-file.ts';
import type { Paths } from '../../host/paths.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { keyOfText } from '../../store/changes/change-store.ts';
import type { PolicyKept } from '../api/policy-api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { Log } from '../log.ts';
import { forgetGoingBack, goingBackEntries, timeLeft, type GoingBack } from './going-back.ts';
import type { PolicyAudience } from './policy-job.ts';

const retryMilliseconds = 10_000;
const action = 'keep the change of the policy';

export interface GoesBackOptions {
  readonly paths: Paths;
  readonly file: string;
  readonly log: Pick<Log, 'info' | 'error'>;
  /** Writes back what is due; false: the policy has another text. */
  readonly goBack: () => Promise<Result<boolean, string>>;
  /** Whether a change is being written: what it has announced is not in the policy yet. */
  readonly isWriting: () => boolean;
}

export class GoesBack implements Disposable {
  readonly #options: GoesBackOptions;
  #timer: NodeJS.Timeout | undefined;
  #isGoing = false;

  constructor(options: GoesBackOptions) {
    this.#options = options;
  }

  /** Writes back what was due while no agent ran. */
  async begin(): Promise<void> {
    const found = this.check();
    if (found !== undefined && timeLeft(found) === 0) await this.#due();
  }

  /** Compares with the text that the policy has now. Another one cancels the change that goes back. */
  check(): GoingBack | undefined {
    const { paths, file, log, isWriting } = this.#options;
    clearTimeout(this.#timer);
    const entries = goingBackEntries(paths);
    if (entries.length === 0) return undefined;
    const read = readPolicyFile(file);
    if (!read.ok) {
      this.#wait(retryMilliseconds);
      return undefined;
    }
    const key = keyOfText(read.value);
    const found = entries.find((each) => each.afterKey === key && each.file === file);
    if (found !== undefined) this.#wait(timeLeft(found));
    else if (!isWriting()) {
      const forgotten = forgetGoingBack(paths);
      if (!forgotten.ok) log.error(formatProblem(forgotten.error));
      else log.info(`${file} was edited: no change of it goes back by itself any more`);
    }
    return found;
  }

  /** Keeps the change that is in force. Its author may, and root. */
  keep(audience: PolicyAudience, change: number | undefined): HttpResult<PolicyKept> {
    const found = this.check();
    if (found === undefined || (audience.kind === 'reseller' && audience.uid !== found.uid))
      return httpError({ status: 404, action, reason: 'none goes back by itself' });
    if (this.#isGoing) return httpError({ status: 409, action, reason: 'it goes back already' });
    if (change !== found.change)
      return httpError({ status: 409, action, reason: 'another one is in force now' });
    const { paths, log, file } = this.#options;
    const forgotten = forgetGoingBack(paths);
    if (!forgotten.ok) return httpError({ status: 503, ...forgotten.error });
    clearTimeout(this.#timer);
    log.info(`The change of ${file} stays`);
    return ok(change === undefined ? {} : { change });
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#atTime(), milliseconds).unref();
  }

  async #atTime(): Promise<void> {
    const found = this.check();
    if (found !== undefined && timeLeft(found) === 0) await this.#due();
  }

  async #due(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isGoing) return;
    this.#isGoing = true;
    const { file, log, goBack } = this.#options;
    const done = await goBack();
    this.#isGoing = false;
    if (!done.ok) {
      log.error(done.error);
      this.#wait(retryMilliseconds);
      return;
    }
    if (done.value) log.info(`The change of ${file} was not kept, and went back`);
    this.check();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
