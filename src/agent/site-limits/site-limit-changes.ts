/**
 * Changes that tenants make to limits of their own sites: kept first, then applied with the policy. What the kernel does not
 * take, such as less memory than is in use, is taken back, so that what was in force stays.
 */
import { causedBy, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { changeSiteLimits } from '../../host/keep-site-limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import type { Quantity } from '../../base/quantity.ts';
import type { SiteLimitHolder, SiteLimits } from '../../policy/sites/site-limits.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { ChangePace } from './change-pace.ts';
import { PacedApply } from './paced-apply.ts';
import { printChange, withChange, type SiteChange } from './wanted-change.ts';

/** A client waits for a minute. */
const answerMilliseconds = 40_000;

export interface TenantSite {
  readonly uid: number;
  readonly holder: SiteLimitHolder;
  readonly site: string;
  /** As messages name it. */
  readonly label: string;
  readonly cgroup: string;
  /** All sites of the tenant. */
  readonly own: ReadonlySet<string>;
}

export type ChangeState = 'in force' | 'kept';

interface Parts {
  readonly paths: Paths;
  readonly apply: () => Promise<void>;
  /** Why the last apply could not do what a cgroup needs. */
  readonly problemOf: (cgroup: string) => Problem | undefined;
  readonly log: (line: string) => void;
  /** What the policy in force has for a site. */
  readonly valuesOf: (uid: number, site: string) => LimitValues;
}

export class SiteLimitChanges implements Disposable {
  readonly #parts: Parts;
  readonly #pace = new ChangePace();
  readonly #paced: PacedApply;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#paced = new PacedApply(parts.apply);
  }

  /** `reclaims`: more memory is in use than will be allowed. */
  async make(
    tenant: TenantSite,
    change: SiteChange,
    reclaims: boolean,
  ): Promise<HttpResult<ChangeState>> {
    const turn = this.#pace.enter(tenant.uid, reclaims, performance.now());
    if (!turn.ok) return turn;
    const done = this.#keepAndApply(tenant, change).finally(() => turn.value[Symbol.dispose]());
    return soon(done);
  }

  async #keepAndApply(tenant: TenantSite, change: SiteChange): Promise<HttpResult<ChangeState>> {
    let before: ReadonlyMap<LimitKey, Quantity> = new Map();
    const kept = this.#keep(tenant, (sites) => {
      before = sites.get(tenant.site) ?? before;
      return withChange(sites, tenant.site, change, tenant.own);
    });
    if (!kept.ok) return httpError({ status: 503, ...kept.error });
    this.#parts.log(`Its tenant has changed limits of ${tenant.label}: ${printChange(change)}`);
    await this.#paced.run();
    const problem = this.#parts.problemOf(tenant.cgroup);
    if (problem === undefined) return ok(this.#isInForce(tenant, change) ? 'in force' : 'kept');
    const undo = new Map([...change.keys()].map((key) => [key, before.get(key)]));
    this.#keep(tenant, (sites) => withChange(sites, tenant.site, undo, tenant.own));
    await this.#paced.run();
    // The hint is for the administrator.
    const { hint: _hint, ...cause } = causedBy(problem);
    const action = 'change limits of';
    return httpError({ status: 409, action, object: tenant.label, ...cause, hint: unchanged });
  }

  #isInForce({ uid, site }: TenantSite, change: SiteChange): boolean {
    const values = this.#parts.valuesOf(uid, site);
    return [...change].every(([key, value]) => value === undefined || values[key] === value);
  }

  #keep(
    { uid, holder }: TenantSite,
    change: (sites: SiteLimits) => Result<SiteLimits, Problem>,
  ): Result<void, Problem> {
    return changeSiteLimits(this.#parts.paths, uid, holder, change);
  }

  [Symbol.dispose](): void {
    this.#paced[Symbol.dispose]();
  }
}

const unchanged = 'the limits stay as they were';

/** The change goes on, whatever is answered. */
async function soon(done: Promise<HttpResult<ChangeState>>): Promise<HttpResult<ChangeState>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<HttpResult<ChangeState>>((resolve) => {
    timer = setTimeout(() => resolve(ok('kept')), answerMilliseconds);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
