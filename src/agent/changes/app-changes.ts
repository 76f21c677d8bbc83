/**
 * Changes that tenants make to their own applications: kept first, then applied, both at a limited pace. The capability's
 * part knows applications; this decides when it works.
 */
import { printable } from '../../../packages/base/printable.ts';
import { causedBy } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import type { UidOwner } from '../../policy/accounts/uid-owner.ts';
import { answerSoon } from '../../sys/answer-soon.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { OwnAppChange, TenantApps } from '../part.ts';
import { ChangePace } from './change-pace.ts';
import { PacedApply } from './paced-apply.ts';

const action = 'change the application';
/** Each stops and starts a program, and makes systemd read its units again. */
const secondsEach = 60;

interface Parts {
  readonly apps: TenantApps;
  readonly log: (line: string) => void;
  /** The pause between two applies; ten seconds if it is absent. */
  readonly pauseMilliseconds?: number;
}

export class AppChanges implements Disposable {
  readonly #parts: Parts;
  readonly #pace = new ChangePace(action, secondsEach);
  readonly #paced: PacedApply;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#paced = new PacedApply(() => parts.apps.apply(), parts.pauseMilliseconds);
  }

  list(uid: number): ReturnType<TenantApps['list']> {
    return this.#parts.apps.list(uid);
  }

  /**
   * Makes a change of `owner`, who has the uid now. A wrong one costs nothing, and changes nothing. The request releases its
   * `slot` while it waits; the pace admits one change of a uid, so no other waits with it.
   */
  async make(
    uid: number,
    owner: UidOwner,
    change: OwnAppChange,
    slot: Disposable,
  ): Promise<HttpResult<'in force' | 'kept'>> {
    const { apps, log } = this.#parts;
    const keep = apps.prepare(uid, owner, change);
    if (!keep.ok) return keep;
    const turn = this.#pace.enter(uid, false, performance.now());
    if (!turn.ok) return turn;
    using _turn = turn.value;
    const kept = keep.value();
    if (!kept.ok) return httpError({ status: 503, action, ...causedBy(kept.error) });
    const done = change.kind === 'set' ? 'defined' : 'removed';
    log(`${printable(owner.name)} has ${done} its application ${printable(change.name)}`);
    slot[Symbol.dispose]();
    const applied = this.#paced.run().then(() => apps.isInForce(uid, change));
    return ok((await answerSoon(applied, false)) ? 'in force' : 'kept');
  }

  [Symbol.dispose](): void {
    this.#paced[Symbol.dispose]();
  }
}
