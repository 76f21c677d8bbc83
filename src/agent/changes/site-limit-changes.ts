/**
 * Changes that tenants and resellers make to limits of sites: saved first, then applied with the policy. A change that
 * the kernel refuses, such as less memory than is in use, is undone, so that the previous limits stay.
 */
import { causedBy, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { changeSiteLimits } from '../../host/keep-site-limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import type { Quantity } from '../../../packages/base/quantity.ts';
import type { SiteLimitOwners, SiteLimits } from '../../policy/sites/site-limits.ts';
import { answerSoon } from '../../sys/answer-soon.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { ChangePace } from './change-pace.ts';
import { PacedApply } from './paced-apply.ts';
import { formatChange, withChange, type SiteChange } from './wanted-change.ts';

export interface ChangedTenantSite {
  readonly uid: number;
  /** The owner of the tenant, and of the reseller if the reseller makes the change. */
  readonly holders: SiteLimitOwners;
  readonly site: string;
  /** The name that messages use. */
  readonly label: string;
  readonly cgroup: string;
  /** The sites of the tenant that the policy has. */
  readonly written: ReadonlySet<string>;
}

export type ChangeState = 'in force' | 'kept';

interface Parts {
  readonly paths: Paths;
  readonly apply: () => Promise<void>;
  /** Returns the reason why the last apply could not set up a cgroup. */
  readonly problemOf: (cgroup: string) => Problem | undefined;
  readonly log: (line: string) => void;
  /** Returns the limits that the policy in force has for a site. */
  readonly valuesOf: (uid: number, site: string) => LimitValues;
  /** The pause between two applies; ten seconds if it is absent. */
  readonly pauseMilliseconds?: number;
}

export class SiteLimitChanges implements Disposable {
  readonly #parts: Parts;
  readonly #pace = new ChangePace('change limits of a site');
  readonly #paced: PacedApply;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#paced = new PacedApply(parts.apply, parts.pauseMilliseconds);
  }

  /** `reclaims`: more memory is in use than will be allowed. `slot`: released while the request waits. */
  async make(
    tenant: ChangedTenantSite,
    change: SiteChange,
    reclaims: boolean,
    slot: Disposable,
  ): Promise<HttpResult<ChangeState>> {
    const asker = tenant.holders.reseller?.uid ?? tenant.uid;
    const turn = this.#pace.enter(asker, reclaims, performance.now());
    if (!turn.ok) return turn;
    slot[Symbol.dispose]();
    const done = this.#keepAndApply(tenant, change).finally(() => turn.value[Symbol.dispose]());
    return answerSoon(done, ok('kept'));
  }

  async #keepAndApply(
    tenant: ChangedTenantSite,
    change: SiteChange,
  ): Promise<HttpResult<ChangeState>> {
    let before: ReadonlyMap<LimitKey, Quantity> = new Map();
    const kept = this.#keep(tenant, (sites) => {
      before = sites.get(tenant.site) ?? before;
      return withChange(sites, tenant.site, change, tenant.written);
    });
    if (!kept.ok) return httpError({ status: 503, ...kept.error });
    const { reseller } = tenant.holders;
    const who = reseller === undefined ? 'Its tenant' : `Its reseller ${reseller.name}`;
    this.#parts.log(`${who} has changed limits of ${tenant.label}: ${formatChange(change)}`);
    const problem = await this.#applied(tenant);
    if (problem === undefined) return ok(this.#isInForce(tenant, change) ? 'in force' : 'kept');
    const undo = new Map([...change.keys()].map((key) => [key, before.get(key)]));
    this.#keep(tenant, (sites) => withChange(sites, tenant.site, undo, tenant.written));
    await this.#paced.run();
    // The hint is for the administrator.
    const { hint: _hint, ...cause } = causedBy(problem);
    const action = 'change limits of';
    return httpError({ status: 409, action, object: tenant.label, ...cause, hint: unchanged });
  }

  /**
   * Returns the reason why the cgroup is not as it should be. A change that the tenant makes at the same time can be
   * the reason; it is undone before the next apply. It must not be able to undo what its reseller sets.
   */
  async #applied({ cgroup, holders }: ChangedTenantSite): Promise<Problem | undefined> {
    await this.#paced.run();
    if (holders.reseller === undefined || this.#parts.problemOf(cgroup) === undefined)
      return this.#parts.problemOf(cgroup);
    await this.#paced.run();
    return this.#parts.problemOf(cgroup);
  }

  #isInForce({ uid, site }: ChangedTenantSite, change: SiteChange): boolean {
    const values = this.#parts.valuesOf(uid, site);
    return [...change].every(([key, value]) => value === undefined || values[key] === value);
  }

  #keep(
    { uid, holders }: ChangedTenantSite,
    change: (sites: SiteLimits) => Result<SiteLimits, Problem>,
  ): Result<void, Problem> {
    return changeSiteLimits(this.#parts.paths, uid, holders, change);
  }

  [Symbol.dispose](): void {
    this.#paced[Symbol.dispose]();
  }
}

const unchanged = 'the limits stay as they were';
