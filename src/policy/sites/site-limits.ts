/**
 * The limits that a tenant, or its reseller, sets for the tenant's sites, if the policy allows it. Each of the two has
 * its own file, apart from the policy; the second one names the reseller:
 *
 *     {"name":"alice","home":"131.17","sites":{"shop.example":{"cpu.limit":"50%","memory.limit":"256MiB"}}}
 *     {"name":"alice","home":"131.17","reseller":{"uid":1000,"name":"acme","home":"131.9"},"sites":{…}}
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { attributes, limitAttribute } from '../../limits/limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { formatQuantity, unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import { isSameOwner, type UidOwner } from '../accounts/uid-owner.ts';
import { parseLimit } from '../parse-limit.ts';
import type { SiteLimitSetter } from '../document.ts';
import { uidMax, valueKinds } from '../value-kinds.ts';

/** Limits by site, in lower case. */
export type SiteLimits = ReadonlyMap<string, ReadonlyMap<LimitKey, Quantity>>;

export interface ResellerOwner extends UidOwner {
  readonly uid: number;
}

/** The sites' owner, and the reseller if it has set the limits, not the tenant itself. */
export interface SiteLimitOwners extends UidOwner {
  readonly reseller?: ResellerOwner;
}

export interface KeptSiteLimits extends SiteLimitOwners {
  readonly sites: SiteLimits;
}

/** The limits set for a tenant's sites outside the policy. */
export interface SetSiteLimits {
  readonly tenant?: SiteLimits;
  readonly reseller?: { readonly uid: number; readonly sites: SiteLimits };
}

/** A limit of a site, set by its tenant or its reseller. */
export interface OwnLimit {
  readonly key: LimitKey;
  readonly value: Quantity;
  readonly setter: SiteLimitSetter;
  /** The setter for display: `alice`, `reseller acme`. */
  readonly by: string;
  /** `overruled`: the policy sets that limit of the site; `withdrawn`: its setter is no longer allowed to set it. */
  readonly state: 'in force' | 'overruled' | 'overruled by reseller' | 'withdrawn';
}

export const siteLimitBytesMax = 64 * 1024;
/** The maximum number of one tenant's sites with limits, for each setter. */
export const limitedSitesMax = 200;
/** The maximum number of them that the policy does not have: each is a cgroup, which costs the host memory. */
export const servedSitesMax = 50;

/**
 * Reasons why only the administrator can set a limit of a site. Entries need changes to web servers and PHP services,
 * which serve all tenants.
 */
const notForTenants: Readonly<Record<string, string>> = {
  disk: 'quotas belong to an account',
  entries: 'the web server of all tenants would have to read its configuration again',
  network: 'sockets belong to an account, not to one of its sites',
  database: 'accounts of database servers belong to a tenant',
};

/** Returns why a tenant cannot set this limit of a site, if it cannot. */
export function tenantCannotSet(key: LimitKey): Cause | undefined {
  const reason = notForTenants[limitAttribute(key).limit.name];
  return reason === undefined ? undefined : { reason };
}

export const tenantLimits: readonly LimitKey[] = [...attributes.keys()].filter(
  (key) => tenantCannotSet(key) === undefined,
);

/** Returns the tenant's value if a site's value exceeds it; a weight only counts among the tenant's parts. */
export function exceeds(key: LimitKey, value: Quantity, tenant: LimitValues): string | undefined {
  const { kind, fallback } = limitAttribute(key);
  const bound = tenant[key] ?? fallback;
  if (kind === 'weight' || bound === unlimited) return undefined;
  return value === unlimited || value > bound ? formatQuantity(kind, bound) : undefined;
}

/** Whether the tenant and the setter of the limits are the same. */
export function areSameOwners(kept: SiteLimitOwners, now: SiteLimitOwners): boolean {
  if (!isSameOwner(kept, now)) return false;
  if (kept.reseller === undefined || now.reseller === undefined)
    return kept.reseller === now.reseller;
  return kept.reseller.uid === now.reseller.uid && isSameOwner(kept.reseller, now.reseller);
}

export const setterOf = ({ reseller }: SiteLimitOwners): SiteLimitSetter =>
  reseller === undefined ? 'tenant' : 'reseller';

export function formatSiteLimits({ name, home, reseller, sites }: KeptSiteLimits): string {
  const texts = [...sites].map(([site, values]) => [site, Object.fromEntries(textsOf(values))]);
  return `${JSON.stringify({ name, home, reseller, sites: Object.fromEntries(texts) })}\n`;
}

const textsOf = (values: ReadonlyMap<LimitKey, Quantity>) =>
  [...values].map(([key, value]) => [key, formatQuantity(limitAttribute(key).kind, value)]);

/** Parses the file; returns undefined if it is damaged. */
export function parseSiteLimits(text: string): KeptSiteLimits | undefined {
  const { sites: written, reseller: setter, ...rest } = parseObject(text) ?? {};
  const holder = parseOwner(rest);
  const reseller = setter === undefined ? undefined : parseReseller(setter);
  if (holder === undefined || !isObject(written)) return undefined;
  if (setter !== undefined && reseller === undefined) return undefined;
  const sites = new Map<string, ReadonlyMap<LimitKey, Quantity>>();
  for (const [site, limits] of Object.entries(written)) {
    const values = parseValues(limits);
    const known = valueKinds.site.parse(site);
    if (values === undefined || !known.ok) return undefined;
    sites.set(known.value, values);
  }
  return { ...holder, ...(reseller && { reseller }), sites };
}

function parseOwner({ name, home }: Readonly<Record<string, unknown>>) {
  if (typeof name !== 'string') return undefined;
  return { name, ...(typeof home === 'string' && { home }) };
}

function parseReseller(written: unknown): ResellerOwner | undefined {
  if (!isObject(written)) return undefined;
  const holder = parseOwner(written);
  const { uid } = written;
  if (typeof uid !== 'number' || !Number.isInteger(uid) || uid < 0 || uid > uidMax)
    return undefined;
  return holder && { uid, ...holder };
}

function parseValues(limits: unknown): ReadonlyMap<LimitKey, Quantity> | undefined {
  if (!isObject(limits)) return undefined;
  const values = new Map<LimitKey, Quantity>();
  for (const [key, text] of Object.entries(limits)) {
    if (!tenantLimits.includes(key as LimitKey) || typeof text !== 'string') return undefined;
    const parsed = parseLimit(key as LimitKey, text);
    if (parsed?.ok !== true) return undefined;
    values.set(key as LimitKey, parsed.value);
  }
  return values;
}
