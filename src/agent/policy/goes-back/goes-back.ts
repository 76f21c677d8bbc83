/** Lets changes of the policy go back by themselves at their time, unless they are kept. */
import { readPolicyFile } from '../../../host/policy-file.ts';
import type { Paths } from '../../../host/paths.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { PolicyKept } from '../../api/policy-api.ts';
import { httpError, type HttpResult } from '../../api/http-result.ts';
import type { Log } from '../../log.ts';
import type { Alarm } from '../../part.ts';
import { notGoingBack, setDamagedAside, type GoingBack } from './going-back-file.ts';
import {
  forgetGoingBack,
  pendingEntries,
  settleKilled,
  shortenTimes,
  timeLeft,
  isWhole,
} from './going-back.ts';
import type { PolicyAudience } from '../policy-job.ts';

const retryMilliseconds = 10_000;
const action = 'keep the change of the policy';
const alarmTitle = 'changes of the policy do not go back by themselves';

/** The result for the changes whose time is over. */
export interface WentBack {
  readonly isReplaced: boolean;
  /** Sentences on the values of them that stay. */
  readonly stays: readonly string[];
  /** Why some cannot go back now. */
  readonly failures: readonly string[];
}

export interface GoesBackOptions {
  readonly paths: Paths;
  readonly file: string;
  readonly log: Pick<Log, 'info' | 'error'>;
  /** Writes back what is due. */
  readonly goBack: () => Promise<Result<WentBack, string>>;
  /** Whether a change is being written: what it has announced is not in the policy yet. */
  readonly isWriting: () => boolean;
}

export class GoesBack implements Disposable {
  readonly #options: GoesBackOptions;
  #timer: NodeJS.Timeout | undefined;
  #isGoing = false;
  #lastError = '';
  /** The last report about the file of changes. */
  #damage = '';
  readonly #alarms: Alarm[] = [];

  constructor(options: GoesBackOptions) {
    this.#options = options;
  }

  /** Writes back what was due while no agent ran. */
  async begin(): Promise<void> {
    this.#setDamagedAside(isWhole);
    if (this.check().some((each) => timeLeft(each) === 0)) await this.#due();
  }

  /** Returns the changes that go back, and waits for the first one. */
  check(): readonly GoingBack[] {
    const { paths, file, log } = this.#options;
    this.#setDamagedAside(() => true);
    this.#settleKilled();
    const shortened = shortenTimes(paths);
    if (!shortened.ok) log.error(formatProblem(shortened.error));
    const entries = pendingEntries(paths, file);
    const first = Math.min(...entries.map(timeLeft));
    clearTimeout(this.#timer);
    if (Number.isFinite(first)) this.#wait(first);
    return entries;
  }

  #settleKilled(): void {
    const { paths, file, isWriting, log } = this.#options;
    if (isWriting() || pendingEntries(paths, file).every((each) => each.isWritten)) return;
    const read = readPolicyFile(file);
    const settled = read.ok ? settleKilled(paths, file, read.value) : read;
    if (!settled.ok) return log.error(formatProblem(settled.error));
    for (const each of settled.value) log.info(each);
  }

  #setDamagedAside(isUsable: (entry: GoingBack) => boolean): void {
    const { paths, log } = this.#options;
    const done = setDamagedAside(paths, isUsable);
    const lost = notGoingBack(paths);
    const texts = [done.ok ? undefined : done.error, lost].map(
      (each) => each && formatProblem(each),
    );
    const problem = texts.filter((each) => each !== undefined).join('\n');
    if (problem !== '' && problem !== this.#damage) {
      log.error(problem);
      this.#alarms.push({ about: 'policy changes', title: alarmTitle, text: problem });
    }
    this.#damage = problem;
  }

  /** Returns the alarms since the last call. */
  takeAlarms(): readonly Alarm[] {
    return this.#alarms.splice(0);
  }

  /** Keeps a change. Its author may, and root. */
  keep({ audience, uid }: KeepingCaller, change: number | undefined): HttpResult<PolicyKept> {
    const mine = this.check().filter(
      (each) => audience.kind === 'administrator' || each.uid === uid,
    );
    if (mine.length === 0)
      return httpError({ status: 404, action, reason: 'none goes back by itself' });
    if (this.#isGoing) return httpError({ status: 409, action, reason: 'it goes back already' });
    const asked = mine.filter((each) => each.change === change);
    const found = asked.find((each) => each.uid === uid) ?? asked[0];
    if (found === undefined)
      return httpError({ status: 409, action, reason: 'another one is in force now' });
    const { paths, log, file } = this.#options;
    const { uid: owner, afterKey } = found;
    const forgotten = forgetGoingBack(
      paths,
      (each) => each.uid === owner && each.afterKey === afterKey,
    );
    if (!forgotten.ok) return httpError({ status: 503, ...forgotten.error });
    log.info(`The change of ${file} by ${found.user} stays`);
    this.check();
    return ok(change === undefined ? {} : { change });
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#atTime(), milliseconds).unref();
  }

  async #atTime(): Promise<void> {
    this.#setDamagedAside(isWhole);
    if (this.check().some((each) => timeLeft(each) === 0)) await this.#due();
  }

  async #due(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isGoing) return;
    this.#isGoing = true;
    const { file, log, goBack } = this.#options;
    const done = await goBack();
    this.#isGoing = false;
    const { isReplaced, stays, failures } = done.ok ? done.value : nothing(done.error);
    const failure = failures.join('\n');
    if (failure !== '' && failure !== this.#lastError) log.error(failure);
    this.#lastError = failure;
    if (isReplaced) log.info(`The change of ${file} was not kept, and went back`);
    for (const each of stays) log.info(each);
    if (failure === '') this.check();
    else this.#wait(retryMilliseconds);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

const nothing = (failure: string): WentBack => ({
  isReplaced: false,
  stays: [],
  failures: [failure],
});

/** Whoever keeps a change. */
export interface KeepingCaller {
  readonly audience: PolicyAudience;
  readonly uid: number;
}
