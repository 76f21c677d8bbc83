/**
 * The pace at which tenants and resellers may change something: limits of sites, applications, their digests. Each change
 * is kept on disk and applied, so both are bounded for each tenant and for all of them together. An administrator who edits the
 * policy never waits.
 */
import { WorkBudget } from '../../../packages/base/work-budget.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { ok } from '../../../packages/base/result.ts';

/** The changes of one uid at once, before each has to wait. */
const burst = 10;
/** The pause between attempts while another change is made. */
const retrySeconds = 10;
/** The budget of all together: fifty changes at once, then five a second. */
const ofAll = { share: 5 / 1000, burst: 50 };

export class ChangePace {
  readonly #all = new WorkBudget(ofAll);
  readonly #budgets = new Map<number, WorkBudget>();
  readonly #busy = new Set<number>();
  readonly #action: string;
  /** The budget of one uid. */
  readonly #ofOne: { readonly share: number; readonly burst: number };
  /** Whether memory that is in use is being reclaimed, which takes seconds. */
  #isReclaiming = false;

  /** `action`: for messages, such as `change limits of a site`; `secondsEach`: for one change of a uid in the long run. */
  constructor(action: string, secondsEach = 10) {
    this.#action = action;
    this.#ofOne = { share: 1 / (secondsEach * 1000), burst };
  }

  /** Admits one change at a time of a uid; it ends when the returned value is disposed. */
  enter(uid: number, reclaims: boolean, now: number): HttpResult<Disposable> {
    if (this.#busy.has(uid)) return this.#refuseWhile(429, 'another change of yours is being made');
    const own = this.#budgets.get(uid) ?? new WorkBudget(this.#ofOne);
    this.#budgets.set(uid, own);
    const wait = Math.ceil(own.wait(now) / 1000);
    if (wait > 0) return this.#refuseUntil(wait, 'you have made too many changes');
    if (this.#all.wait(now) > 0 || (reclaims && this.#isReclaiming))
      return this.#refuseWhile(503, 'too many others make changes at the moment');
    own.spend(1, now);
    this.#all.spend(1, now);
    this.#busy.add(uid);
    if (reclaims) this.#isReclaiming = true;
    return ok({
      [Symbol.dispose]: () => {
        this.#busy.delete(uid);
        if (reclaims) this.#isReclaiming = false;
      },
    });
  }

  /** Refuses until a time that is known. */
  #refuseUntil(retryAfterSeconds: number, reason: string): HttpResult<never> {
    const hint = `retry in ${retryAfterSeconds} s`;
    return httpError({ status: 429, action: this.#action, reason, hint, retryAfterSeconds });
  }

  /** Refuses as long as changes are made, which can take seconds or minutes. */
  #refuseWhile(status: 429 | 503, reason: string): HttpResult<never> {
    const hint = `retry every ${retrySeconds} s`;
    const error = { status, action: this.#action, reason, hint };
    return httpError({ ...error, retryAfterSeconds: retrySeconds });
  }
}
