/**
 * What a tenant sets for its own sites, where the policy lets it. It is kept apart from the policy, in a file a tenant:
 *
 *     {"name":"alice","home":"131.17","sites":{"shop.example":{"cpu.limit":"50%","memory.limit":"256MiB"}}}
 */
import { attributes, limitAttribute } from '../../limits/limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { printQuantity, unlimited, type Quantity } from '../../base/quantity.ts';
import { parseLimit } from '../parse-limit.ts';
import { valueKinds } from '../value-kinds.ts';

/** By site, in lower case. */
export type SiteLimits = ReadonlyMap<string, ReadonlyMap<LimitKey, Quantity>>;

/** Who had the uid when the limits were set: another holder inherits nothing. Source: usage/tenancy.ts. */
export interface SiteLimitHolder {
  readonly name: string;
  /** Identifies the home directory; absent if unknown. */
  readonly home?: string | undefined;
}

export interface KeptSiteLimits extends SiteLimitHolder {
  readonly sites: SiteLimits;
}

/** A limit of a site that its tenant has set. */
export interface OwnLimit {
  readonly key: LimitKey;
  readonly value: Quantity;
  readonly by: string;
  /** `overruled`: the policy sets that limit of the site; `withdrawn`: the tenant may not set limits any more. */
  readonly state: 'in force' | 'overruled' | 'withdrawn';
}

export const siteLimitBytesMax = 64 * 1024;
/** Of one tenant. */
export const limitedSitesMax = 200;

/**
 * Why a tenant cannot set a limit of a site that the administrator can. Web servers and services of PHP have to be told of
 * entries, which serve all tenants.
 */
const notForTenants: Readonly<Record<string, string>> = {
  disk: 'quotas belong to an account',
  entries: 'the web server of all tenants would have to read its configuration again',
  network: 'it is not enforced yet',
};

/** Half a sentence, if a tenant cannot set this limit of a site. */
export const tenantCannotSet = (key: LimitKey): string | undefined =>
  notForTenants[limitAttribute(key).limit.name];

export const tenantLimits: readonly LimitKey[] = [...attributes.keys()].filter(
  (key) => tenantCannotSet(key) === undefined,
);

/** The value of its tenant that a site's must not be above; a weight counts among the parts of the tenant only. */
export function exceeds(key: LimitKey, value: Quantity, tenant: LimitValues): string | undefined {
  const { kind, fallback } = limitAttribute(key);
  const bound = tenant[key] ?? fallback;
  if (kind === 'weight' || bound === unlimited) return undefined;
  return value === unlimited || value > bound ? printQuantity(kind, bound) : undefined;
}

/** The same holder as far as it is known. */
export const isSameHolder = (kept: SiteLimitHolder, now: SiteLimitHolder): boolean =>
  kept.name === now.name &&
  (kept.home === undefined || now.home === undefined || kept.home === now.home);

export function printSiteLimits({ name, home, sites }: KeptSiteLimits): string {
  const texts = [...sites].map(([site, values]) => [site, Object.fromEntries(textsOf(values))]);
  return `${JSON.stringify({ name, home, sites: Object.fromEntries(texts) })}\n`;
}

const textsOf = (values: ReadonlyMap<LimitKey, Quantity>) =>
  [...values].map(([key, value]) => [key, printQuantity(limitAttribute(key).kind, value)]);

/** Undefined if it is damaged. */
export function parseSiteLimits(text: string): KeptSiteLimits | undefined {
  const { name, home, sites: written } = objectIn(text) ?? {};
  if (typeof name !== 'string' || !isObject(written)) return undefined;
  const sites = new Map<string, ReadonlyMap<LimitKey, Quantity>>();
  for (const [site, limits] of Object.entries(written)) {
    const values = parseValues(limits);
    const known = valueKinds.site.parse(site);
    if (values === undefined || !known.ok) return undefined;
    sites.set(known.value, values);
  }
  return { name, ...(typeof home === 'string' && { home }), sites };
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

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return isObject(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
