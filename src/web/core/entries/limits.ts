/** Limits on concurrent requests: of a site, of all sites of its tenant, and of all tenants of its reseller. */
import { unlimited } from '../../../../packages/base/quantity.ts';
import type { LimitValues } from '../../../limits/limit.ts';
import type { Policy } from '../../../policy/policy.ts';
import { resellerMember, siteMember, tenantMember, type Member } from '../../../usage/member.ts';
import type { SiteView } from '../overview.ts';
import { siteNameOf } from '../site.ts';

export type BoundKind = 'site' | 'tenant' | 'reseller';

export interface Bound {
  /** Whether it is the limit of the site, the tenant or the reseller. */
  readonly kind: BoundKind;
  /** The site, tenant or reseller that has the limit: `u1001/shop.example`, `u1001`, `r1000`. */
  readonly member: Member;
  /** The number of concurrent requests. */
  readonly limit: number;
}

/** The limits that the policy sets for one tenant. */
export interface TenantEntries {
  readonly limit?: number;
  readonly reseller?: Bound;
  /** Every site of the tenant, in the order of the policy, and its limit if it has one. */
  readonly sites: ReadonlyMap<string, number | undefined>;
}

/** Limits by uid. Tenants without any limit are absent. */
export type EntryLimits = ReadonlyMap<number, TenantEntries>;

/** Source: ngx_http_limit_conn_module.c, "connection limit must be less 65536". */
const limitMax = 65_535;

export function entryLimitsOf({
  tenants,
  resellers,
}: Pick<Policy, 'tenants' | 'resellers'>): EntryLimits {
  const groups = new Map(
    resellers.flatMap(({ uid, values }) => {
      const limit = limitIn(values);
      if (limit === undefined) return [];
      return [[uid, { kind: 'reseller', member: resellerMember(uid), limit } as const] as const];
    }),
  );
  return new Map(
    tenants.flatMap(({ uid, values, sites, reseller: group }) => {
      const limit = limitIn(values);
      const reseller = group === undefined ? undefined : groups.get(group);
      // Other sites can have no entries limit, and web servers need not be reloaded for them.
      const written = sites.filter(({ madeBy }) => madeBy === undefined);
      const ofSites = new Map(written.map((each) => [each.name, limitIn(each.values)] as const));
      const isLimited =
        limit !== undefined ||
        reseller !== undefined ||
        ofSites.values().some((each) => each !== undefined);
      if (!isLimited) return [];
      return [[uid, { ...given('limit', limit), ...given('reseller', reseller), sites: ofSites }]];
    }),
  );
}

function limitIn(values: LimitValues): number | undefined {
  const limit = values['entries.limit'];
  return limit === undefined || limit === unlimited ? undefined : Math.min(limit, limitMax);
}

const given = <Name extends string, T>(name: Name, value: T | undefined) =>
  (value === undefined ? {} : { [name]: value }) as Partial<Record<Name, T>>;

/** Returns the limits that apply to the vhosts of a tenant, or of one of its sites, innermost first. */
export function boundsOf(
  uid: number,
  entries: TenantEntries,
  site: string | undefined,
): readonly Bound[] {
  const { limit, reseller, sites } = entries;
  const ofSite = site === undefined ? undefined : sites.get(site);
  return [
    ...(site === undefined || ofSite === undefined
      ? []
      : [{ kind: 'site' as const, member: siteMember(uid, site), limit: ofSite }]),
    ...(limit === undefined ? [] : [{ kind: 'tenant' as const, member: tenantMember(uid), limit }]),
    ...(reseller === undefined ? [] : [reseller]),
  ];
}

/** Returns the same for a site that was found, whether it runs anything or not. */
export function siteBounds(
  { owner, names }: Pick<SiteView, 'owner' | 'names'>,
  limits: EntryLimits,
): readonly Bound[] {
  const entries = owner === undefined ? undefined : limits.get(owner.uid);
  if (owner === undefined || entries === undefined) return [];
  return boundsOf(owner.uid, entries, siteNameOf(names, entries.sites));
}

/** Returns `20` for only a tenant's limit, or `site 5, tenant 20` for several. */
export function boundsText(bounds: readonly Bound[]): string {
  const [only] = bounds;
  if (only === undefined) return '-';
  if (bounds.length === 1 && only.kind === 'tenant') return String(only.limit);
  return bounds.map(({ kind, limit }) => `${kind} ${limit}`).join(', ');
}

/** Returns `entries 20/20` at a tenant's limit, `entries 5/5; site` at a site's. */
export const headerText = (kind: BoundKind, number: string | number): string =>
  `entries ${number}/${number}${kind === 'tenant' ? '' : `; ${kind}`}`;

/** Returns a text that is equal for equal limits. */
export const limitsText = (limits: EntryLimits): string =>
  [...limits]
    .sort(([a], [b]) => a - b)
    .map(([uid, { limit, reseller, sites }]) => {
      const ofReseller = reseller === undefined ? '' : `+${reseller.member}=${reseller.limit}`;
      const ofSites = [...sites].map(([name, each]) => `+${name}=${each ?? ''}`).join('');
      return `${uid}:${limit ?? ''}${ofReseller}${ofSites}`;
    })
    .join(' ');
