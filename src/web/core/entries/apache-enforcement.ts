/** The Apache sites at which the policy's entries are enforced, for each vhost separately, and why others are not. */
import { siteMember, tenantMember, uidOf, type Member } from '../../../usage/member.ts';
import type { SiteView } from '../overview.ts';
import { siteNameOf } from '../site.ts';
import { isEnforced, type SiteEntries } from './enforcement.ts';
import { boundsOf, siteBounds, type Bound, type EntryLimits } from './limits.ts';

interface ApacheContext {
  readonly limits: EntryLimits;
  readonly hasModQos: boolean;
  /** Returns the tenant or site whose file a vhost will include once this is written, though it does not do so now. */
  readonly willInclude?: (site: SiteView, members: readonly Member[]) => Member | undefined;
}

export const apacheSiteEntries = (
  sites: readonly SiteView[],
  context: ApacheContext,
): readonly SiteEntries[] =>
  sites.filter(({ server }) => server === 'apache').map((site) => judge(site, context));

function judge(site: SiteView, context: ApacheContext): SiteEntries {
  const { limits, hasModQos, willInclude = () => undefined } = context;
  const { owner, handlers, htaccess = false } = site;
  const entries = owner === undefined ? undefined : limits.get(owner.uid);
  // An .htaccess that its tenant writes can name any handler, so a site with only files counts, too.
  const runs = handlers.some(({ kind }) => kind !== 'other') || (htaccess && handlers.length === 0);
  if (owner === undefined || entries === undefined || !runs) return { site, ...nothing };
  const bounds = siteBounds(site, limits);
  if (bounds.length === 0) return { site, ...nothing };
  const not = (reason: string): SiteEntries => ({ site, bounds, state: 'not enforced', reason });
  if (!hasModQos) return not(noModule);
  const fit = membersFor(site, limits);
  const included = site.entriesOf ?? willInclude(site, fit);
  if (included === undefined) return not(notIncluded);
  if (uidOf(included) !== owner.uid)
    return not(`it includes the file of uid ${uidOf(included)}, who is not its owner`);
  const bound = fileBound(included, limits);
  if (bound === undefined) return not(notIncluded);
  if (bound.limit <= lowest(bounds).limit) return { site, bounds, state: 'enforced' };
  return { site, bounds, state: 'partly enforced', reason: notOfSite };
}

const nothing = { bounds: [], state: 'nothing to count' } as const;

export const notIncluded = 'its vhost does not include the file of its tenant';
export const notOfSite = 'its vhost includes the file of its tenant, not that of the site';
const noModule =
  'mod_qos is not loaded, so only the number of its workers limits it, and visitors wait; run: apt-get install libapache2-mod-qos';

/** Returns the lowest bound, the innermost among equal ones. It is the one in force at a single vhost. */
const lowest = (bounds: readonly Bound[]): Bound =>
  bounds.reduce((least, each) => (each.limit < least.limit ? each : least));

/** Returns the tenant and site whose files suit a vhost, the best one first. */
export function membersFor(
  { owner, names }: SiteView,
  limits: EntryLimits,
): readonly [Member, ...Member[]] {
  const uid = owner?.uid ?? 0;
  const entries = limits.get(uid);
  const site = entries && siteNameOf(names, entries.sites);
  const tenant = tenantMember(uid);
  if (site === undefined) return [tenant];
  return entries?.sites.get(site) === undefined
    ? [tenant, siteMember(uid, site)]
    : [siteMember(uid, site), tenant];
}

/** Returns the limit in the file of a tenant or a site. The file of a former site has the tenant's limit. */
export function fileBound(member: Member, limits: EntryLimits): Bound | undefined {
  const uid = uidOf(member);
  const entries = limits.get(uid);
  if (entries === undefined) return undefined;
  const [, site] = member.split('/');
  const bounds = boundsOf(uid, entries, site);
  return bounds.length === 0 ? undefined : lowest(bounds);
}

/**
 * Returns the tenant or site whose limit applies to each vhost, by ServerName, the only name in Apache's log. If vhosts
 * with one name differ, it is their tenant. Names that vhosts of several tenants have are left out.
 */
export function apacheOwners(
  sites: readonly SiteEntries[],
  limits: EntryLimits,
): Readonly<Record<string, Member>> {
  const owners = new Map<string, Member | undefined>();
  for (const each of sites) {
    const name = each.site.names[0]?.toLowerCase();
    const member = enforcedMember(each, limits);
    if (name === undefined || member === undefined) continue;
    owners.set(name, owners.has(name) ? commonOf(owners.get(name), member) : member);
  }
  return Object.fromEntries(
    [...owners].flatMap(([name, member]) => (member === undefined ? [] : [[name, member]])),
  );
}

function enforcedMember(entries: SiteEntries, limits: EntryLimits): Member | undefined {
  const { owner, entriesOf } = entries.site;
  if (owner === undefined) return undefined;
  const bound =
    isEnforced(entries) && entriesOf !== undefined ? fileBound(entriesOf, limits) : undefined;
  return bound?.member ?? tenantMember(owner.uid);
}

function commonOf(one: Member | undefined, other: Member): Member | undefined {
  if (one === other) return one;
  const areOfOne = one !== undefined && one.startsWith('u') && uidOf(one) === uidOf(other);
  return areOfOne ? tenantMember(uidOf(other)) : undefined;
}
