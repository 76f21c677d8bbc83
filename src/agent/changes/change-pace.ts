/**
 * The pace at which tenants and resellers may change something: limits of sites, applications, their digests. Each change
 * is kept on disk and applied, so both are bounded for each tenant and for all of them together. An administrator who edits the
 * policy never waits.
 */
import { WorkBudget } from '../../store/work-budget.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { ok } from '../../../packages/base/result.ts';

/** The changes of one uid at once, before each has to wait. */
const burst = 10;
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
    if (this.#busy.has(uid)) return this.#refuse(429, 'another change of yours is being made', 1);
    const own = this.#budgets.get(uid) ?? new WorkBudget(this.#ofOne);
    this.#budgets.set(uid, own);
    const wait = Math.ceil(own.wait(now) / 1000);
    if (wait > 0) return this.#refuse(429, 'you have made too many changes', wait);
    if (this.#all.wait(now) > 0 || (reclaims && this.#isReclaiming))
      return this.#refuse(503, 'too many others make changes at the moment', 10);
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

  #refuse(status: 429 | 503, reason: string, retryAfterSeconds: number): HttpResult<never> {
    const hint = `retry in ${retryAfterSeconds} s`;
    return httpError({ status, action: this.#action, reason, hint, retryAfterSeconds });
  }
}
