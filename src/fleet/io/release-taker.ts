/**
 * Decides whether a release that was handed over is applied: signatures, order, the host's own word, and whether the
 * policy means anything here. Nothing is kept of a release before its signatures are known to be right.
 */
import type { FleetEngine } from '../../agent/fleet/fleet-agent.ts';
import type { HttpResult } from '../../agent/api/http-result.ts';
import { WorkBudget } from '../../../packages/base/work-budget.ts';
import { causedBy } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import {
  endedBy,
  heardOf,
  holdSeconds,
  idOf,
  isBusy,
  isHeld,
  isRelease,
  type HostState,
  type Now,
} from '../core/states.ts';
import { documentText } from '../core/parse.ts';
import type { HostStore } from './host-store.ts';
import { knownOf } from './known.ts';
import { refuseRequest } from './refusal.ts';
import { whyClosed, whyTakenBack } from '../core/rollout/host-rollout.ts';
import { verifyBundle, type VerifiedRelease } from './verify/verify-bundle.ts';

const action = 'take the release';
/** The courier's pace: five at once, then one in ten seconds. */
const courierPace = { share: 1 / 10_000, burst: 5 };
const reasonsMax = 20;

/** The `<fleet>` of the host's own policy. */
export interface FleetSettings {
  readonly name: string;
  readonly host?: string | undefined;
  readonly from?: readonly string[] | undefined;
  readonly accept?: readonly string[] | undefined;
}

interface Verified extends VerifiedRelease {
  readonly given: string;
}

export interface TakeContext {
  /** Whether root wants it now, whatever wave controllers have opened. */
  readonly isAnyWave: boolean;
  readonly engine: FleetEngine;
  readonly settings: FleetSettings | undefined;
  readonly state: () => HostState;
  readonly enter: (next: HostState) => void;
  readonly now: () => Now;
}

export class ReleaseTaker {
  readonly #store: HostStore;
  readonly #pace = new WorkBudget(courierPace);
  #isChecking = false;
  #isTooNew = false;

  constructor(store: HostStore) {
    this.#store = store;
  }

  get isChecking(): boolean {
    return this.#isChecking;
  }

  /** Whether the last release was written by something newer. */
  get isTooNew(): boolean {
    return this.#isTooNew;
  }

  /** Counts a release that the courier wants to hand over. Returns the seconds until it may; 0: now. */
  admitCourier(): number {
    const now = performance.now();
    const wait = Math.ceil(this.#pace.wait(now) / 1000);
    if (wait === 0) this.#pace.spend(1, now);
    return wait;
  }

  /** Returns the release to apply; undefined if it is in force, or under way, already. */
  async take(
    bundle: string,
    context: TakeContext,
  ): Promise<HttpResult<VerifiedRelease | undefined>> {
    if (this.#isChecking) return busy('another one is being checked');
    this.#isChecking = true;
    try {
      return await this.#take(bundle, context);
    } finally {
      this.#isChecking = false;
    }
  }

  async #take(
    bundle: string,
    context: TakeContext,
  ): Promise<HttpResult<VerifiedRelease | undefined>> {
    const verified = this.#verify(bundle, context);
    if (!verified.ok) return verified;
    const { head, policy, trust, given } = verified.value;
    // Before the number: a number under a trust that is not kept would count for nothing.
    const kept = this.#store.writeTrust({ given, document: documentText(trust) });
    if (!kept.ok) return refuseRequest({ status: 503, action, ...causedBy(kept.error) });
    const isLed = trust.controllers.length > 0;
    context.enter(heardOf(context.state(), { newest: head, given, isLed }, context.now()));
    const known = alreadyKnown(context.state(), idOf(head));
    if (known === 'in force') return ok(undefined);
    const blocked = known ?? blocker(context, verified.value);
    if (blocked !== undefined) return blocked;
    const checked = await context.engine.check(policy, head.large);
    if (!checked.ok) return refuseRequest({ status: 503, action, reason: checked.error });
    const { problems } = checked.value;
    if (problems.length === 0) return blocker(context, verified.value) ?? ok(verified.value);
    const reasons = problems.slice(0, reasonsMax);
    context.enter(endedBy(context.state(), idOf(head), 'refused', reasons, context.now()));
    return refuseRequest({ status: 422, action, reason: reasons.join('; ') });
  }

  #verify(bundle: string, { settings, state, now }: TakeContext): HttpResult<Verified> {
    const { fleet, host } = state();
    if (settings === undefined || settings.name !== fleet || settings.host !== host)
      return refuseRequest({
        status: 404,
        action,
        reason: `the policy of this host does not say that it is "${host}" of the fleet "${fleet}"`,
        hint: 'run "bulkhead fleet join"',
      });
    const known = knownOf(this.#store, state());
    if (!known.ok) return refuseRequest({ status: 503, action, ...causedBy(known.error) });
    if (!isBounded(bundle))
      return refuseRequest({ status: 422, action, reason: 'it has too many parts for a release' });
    const format = Number(/^\{"format":(\d{1,9})[,}]/.exec(bundle)?.[1]);
    this.#isTooNew = format > 1;
    if (this.#isTooNew)
      return refuseRequest({
        status: 422,
        action,
        reason: `its format ${format} is newer than this version of Bulkhead`,
        hint: 'upgrade Bulkhead',
      });
    const verified = verifyBundle(bundle, known.value, now().at);
    if (verified.ok) return ok({ ...verified.value, given: known.value.given });
    const { code, ...cause } = verified.error;
    return refuseRequest({ status: 422, action, ...cause, reason: `${cause.reason} (${code})` });
  }
}

/** The most objects, lists and fields of a bundle, and of the documents in it. A policy has none. */
const partsMax = 100_000;
const partChars = new Set(['{', '[', ',', ':'].map((each) => each.charCodeAt(0)));

/** Whether a text can be parsed with little memory, whoever has written it. */
function isBounded(text: string): boolean {
  let parts = 0;
  for (let index = 0; index < text.length; index++)
    if (partChars.has(text.charCodeAt(index)) && ++parts > partsMax) return false;
  return true;
}

/** Returns what is known of a release: that it is in force, or why it is not taken again. */
function alreadyKnown(
  { current, ended }: HostState,
  release: ReturnType<typeof idOf>,
): 'in force' | HttpResult<never> | undefined {
  const isCurrent = current !== undefined && isRelease(current.release, release);
  if (isCurrent && current.phase !== 'going back') return 'in force';
  if (ended?.outcome !== 'rolled back' || !isRelease(ended.release, release)) return undefined;
  return refuseRequest({
    status: 422,
    action,
    reason: `this host went back from generation ${release.generation}: ${ended.reasons.join('; ')}`,
    hint: 'sign another one',
  });
}

/** Returns why no release, or not this one, can begin now. */
function blocker(
  { state, now, isAnyWave }: TakeContext,
  { head, host }: VerifiedRelease,
): HttpResult<never> | undefined {
  const { current, hold, isLed } = state();
  if (hold !== undefined && isHeld(state(), now()))
    return busy(`root holds this host for ${holdSeconds(hold, now())} s more: ${hold.reason}`);
  if (isBusy(state()))
    return busy(`generation ${current?.release.generation} is ${current?.phase}`);
  if (isLed !== true) return undefined;
  const reason = isAnyWave
    ? whyTakenBack(state(), head, now())
    : whyClosed(state(), head, host.wave, now());
  return reason === undefined ? undefined : busy(reason);
}

const busy = (reason: string): HttpResult<never> =>
  refuseRequest({ status: 409, action, reason, hint: 'retry later', retryAfterSeconds: 60 });
