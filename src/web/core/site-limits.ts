/** Which vhosts are sites with limits of their own, and which sites have limits that no vhost uses. */
import { formatQuantity, type Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import { nameOf, siteName, type Policy } from '../../policy/policy.ts';
import type { Note } from './notes.ts';
import type { Overview, SiteView } from './overview.ts';
import { rankedSites, siteNameIn, type RankedSites } from './site.ts';

/** The sites of tenants with the limits that apply only to them. */
export interface TenantSites {
  readonly tenant: string;
  /** Limits by the name of the site. */
  readonly sites: ReadonlyMap<string, LimitValues>;
  readonly ranked: RankedSites;
}

/** Sites by the tenant's uid. Tenants without sites are left out. */
export type SiteLimitIndex = ReadonlyMap<number, TenantSites>;

export const siteLimitIndex = ({ tenants }: Pick<Policy, 'tenants'>): SiteLimitIndex =>
  new Map(
    tenants
      .filter(({ sites }) => sites.length > 0)
      .map((each) => {
        const sites = new Map(each.sites.map(({ name, values }) => [name, values]));
        return [each.uid, { tenant: nameOf(each), sites, ranked: rankedSites(each.sites) }];
      }),
  );

export interface OwnSiteLimits {
  /** The name of the site. */
  readonly site: string;
  /** The limits as the policy writes them: `{"cpu.limit": "50%"}`. */
  readonly limits: Readonly<Partial<Record<LimitKey, string>>>;
}

type Vhost = Pick<SiteView, 'owner' | 'names'>;

/** Returns nothing for a vhost that is not a site of its tenant. */
export function ownLimitsOf({ owner, names }: Vhost, index: SiteLimitIndex) {
  const own = owner && index.get(owner.uid);
  const site = own && siteNameIn(names, own.ranked);
  const values = site === undefined ? undefined : own?.sites.get(site);
  return site === undefined || values === undefined
    ? undefined
    : ({ site, limits: textsOf(values) } satisfies OwnSiteLimits);
}

const textsOf = (values: LimitValues): OwnSiteLimits['limits'] =>
  Object.fromEntries(
    (Object.entries(values) as [LimitKey, Quantity][]).map(([key, value]) => [
      key,
      formatQuantity(limitAttribute(key).kind, value),
    ]),
  );

/**
 * Returns `cpu 50%, memory 512MiB`, or the attribute's name if it is not the limit itself: `cpu weight
 * 50`.
 */
export function ownLimitsText(own: OwnSiteLimits | undefined): string {
  const shown = Object.entries(own?.limits ?? {}).map(
    ([key, value]) => `${key.replace(/\.limit$/, '').replace('.', ' ')} ${value}`,
  );
  return shown.length === 0 ? '-' : shown.join(', ');
}

/** Returns notes about unused limits; none while a server does not show all that it serves. */
export function unusedLimits(
  { servers, sites }: Pick<Overview, 'servers' | 'sites'>,
  index: SiteLimitIndex,
): readonly Note[] {
  if (servers.some(({ problems }) => problems.length > 0)) return [];
  const used = new Set(
    sites.flatMap((each) => {
      const own = ownLimitsOf(each, index);
      return own === undefined || each.owner === undefined ? [] : [`${each.owner.uid}/${own.site}`];
    }),
  );
  const about = [...index].flatMap(([uid, { tenant, sites: own }]) =>
    [...own]
      .filter(([name, values]) => Object.keys(values).length > 0 && !used.has(`${uid}/${name}`))
      .map(([name]) => siteName(tenant, name)),
  );
  if (about.length === 0) return [];
  const message =
    'Limits that are not used: no vhost is of these sites, and they hold only for what "bulkhead exec --site" starts';
  return [{ message, about }];
}
