/** Decides whether a controller's record that was handed over counts, and what it makes of the host's state. */
import type { HttpResult } from '../../agent/api/http-result.ts';
import { causedBy } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import { WorkBudget } from '../../../packages/base/work-budget.ts';
import { followed, instructed } from '../core/rollout/host-rollout.ts';
import type { HostState, Now } from '../core/states.ts';
import type { HostStore } from './host-store.ts';
import { knownOf } from './known.ts';
import { refuseRequest } from './refusal.ts';
import type { FleetSettings } from './release-taker.ts';
import { verifyRecord } from './verify/verify-record.ts';

const action = 'take the record';
/** The courier's pace: ten at once, then one in five seconds. */
const courierPace = { share: 1 / 5000, burst: 10 };

interface RecordContext {
  readonly isRoot: boolean;
  readonly settings: FleetSettings | undefined;
  readonly now: Now;
}

export class RecordTaker {
  readonly #store: HostStore;
  readonly #pace = new WorkBudget(courierPace);

  constructor(store: HostStore) {
    this.#store = store;
  }

  /** Returns the state that follows; the same one if the record is known already. */
  take(
    text: string,
    { isRoot, settings, now }: RecordContext,
    state: HostState,
  ): HttpResult<HostState> {
    const { fleet, host } = state;
    if (settings?.name !== fleet || settings.host !== host)
      return refuseRequest({
        status: 404,
        action,
        reason: `the policy of this host does not say that it is "${host}" of the fleet "${fleet}"`,
        hint: 'run "bulkhead fleet join"',
      });
    const tooMany = isRoot ? undefined : this.#spend();
    if (tooMany !== undefined) return tooMany;
    const known = knownOf(this.#store, state);
    if (!known.ok) return refuseRequest({ status: 503, action, ...causedBy(known.error) });
    const { trust, newest, given } = known.value;
    const record = state.rollout?.given === given ? state.rollout.record : undefined;
    const verified = verifyRecord(text, { fleet, trust, newest, record }, now.at);
    if (verified.ok) {
      const until = Date.parse(verified.value.expires);
      return ok(followed(instructed(state, { record: verified.value, until, given }, now), now));
    }
    const { code, ...cause } = verified.error;
    return refuseRequest({ status: 422, action, ...cause, reason: `${cause.reason} (${code})` });
  }

  #spend(): HttpResult<never> | undefined {
    const now = performance.now();
    const wait = Math.ceil(this.#pace.wait(now) / 1000);
    if (wait > 0)
      return refuseRequest({
        status: 429,
        action,
        reason: 'too many were handed over',
        hint: `retry in ${wait} s`,
        retryAfterSeconds: wait,
      });
    this.#pace.spend(1, now);
    return undefined;
  }
}
