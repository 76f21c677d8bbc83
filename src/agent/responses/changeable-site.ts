/**
 * Finds the site whose limits the caller may change: one of the policy, or one that a web server serves for the tenant.
 */
import type { Problem, Cause } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import type { DriverName, SiteLimitSetter, SiteLimitSetters } from '../../policy/document.ts';
import { delegatesOf, siteName, splitSiteName } from '../../policy/policy.ts';
import type { SiteLimitOwners } from '../../policy/sites/site-limits.ts';
import { fitsUnit } from '../../policy/sites/site-unit.ts';
import { valueKinds } from '../../policy/value-kinds.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import { siteEntry, type MemberEntry } from '../sampling/member-index.ts';
import type { Membership } from '../sampling/membership.ts';
import { namedEntry } from './members.ts';

export interface ChangeableSite {
  readonly entry: MemberEntry;
  readonly tenant: MemberEntry;
  readonly holders: SiteLimitOwners;
}

type Refuse = (cause: Omit<Problem, 'action' | 'object'>) => HttpResult<never>;

/**
 * Accepts only the tenant itself or its reseller, identified by the kernel, and only while their uids belong to the
 * accounts that the policy means.
 */
export async function changeableSite(
  request: RequestContext,
  name: string,
): Promise<HttpResult<ChangeableSite>> {
  const { agent, caller } = request;
  const refuse: Refuse = (cause) =>
    httpError({ status: 403, action: 'change limits of', object: name, ...cause });
  if (caller.kind === 'token') return refuse({ reason: 'a token changes nothing' });
  if (caller.kind === 'jailed') return refuse({ reason: 'from a jail, limits cannot be changed' });
  if (caller.uid === 0) {
    const hint = 'use "bulkhead set" as root';
    return refuse({ reason: 'the administrator sets limits in the policy', hint });
  }
  const named = namedEntry(request, name);
  if (named.ok && named.value.who.kind !== 'site') {
    const hint = 'name a site, for example "shop.example" or "alice/shop.example"';
    return refuse({ reason: 'only the administrator sets limits of what is not a site', hint });
  }
  const tenant = named.ok
    ? agent.memberIndex.entries.get(tenantMember(named.value.who.uid))
    : tenantInName(request, name, caller.uid);
  if (tenant === undefined) return named.ok ? refuse({ reason: 'it is not your own' }) : named;
  const [setter] = delegatesAs(caller.uid, tenant);
  if (setter === undefined) {
    if (!named.ok) return named;
    const whose = caller.uid === tenant.who.uid ? 'your sites' : 'sites of your tenants';
    return refuse({ reason: `the administrator does not let you set limits of ${whose}` });
  }
  const entry = named.ok ? named : await servedEntry(request, tenant, name);
  if (!entry.ok) return entry;
  const holders = holdersNow(agent.membership, tenant.who.uid, setter, caller.uid);
  if (holders === undefined) return refuse({ reason: 'it is not your own' });
  return ok({ entry: entry.value, tenant, holders });
}

/** Returns the tenant before the slash, or the caller itself, if the caller may see it. */
function tenantInName(request: RequestContext, name: string, uid: number): MemberEntry | undefined {
  const [account, site] = splitSiteName(name);
  const tenant = namedEntry(request, site === undefined ? `${uid}` : account);
  return tenant.ok && tenant.value.who.kind === 'tenant' ? tenant.value : undefined;
}

/** Returns a site that the policy does not have, but that a web server serves for the tenant. */
async function servedEntry(
  { agent }: RequestContext,
  tenant: MemberEntry,
  name: string,
): Promise<HttpResult<MemberEntry>> {
  const [account, behind] = splitSiteName(name);
  const action = 'change limits of';
  const parsed = valueKinds.site.parse(behind ?? account);
  if (!parsed.ok) return httpError({ status: 404, action, object: name, ...parsed.error });
  const site = parsed.value;
  const blocker = whyOnlyPolicy(agent.driver?.capabilities.driver, tenant, site);
  if (blocker !== undefined)
    return httpError({
      status: 403,
      action,
      object: name,
      ...blocker,
    });
  const served = await agent.servedSites(tenant.who.uid, site);
  if (!served.ok) return httpError({ status: 503, ...served.error });
  if (!served.value.has(site)) return notServed(siteName(tenant.who.name, site), served.value);
  return ok(siteEntry(tenant, { name: site, chain: [], values: {} }));
}

/** Explains why a site can have limits only if the policy has it. */
function whyOnlyPolicy(
  driver: DriverName | undefined,
  { resellerUid }: MemberEntry,
  site: string,
): Cause | undefined {
  const hint = 'ask the administrator';
  // Otherwise the tenant could have several times its limit of disk I/O.
  if (driver === 'cgroup1')
    return {
      reason:
        'the policy does not have it, and with cgroup v1 each site has the disk limits of the tenant for itself',
      hint,
    };
  return driver === 'systemd' && resellerUid === undefined && !fitsUnit(site)
    ? { reason: 'its name is too long for a slice of systemd', hint }
    : undefined;
}

const namesShownMax = 10;

function notServed(object: string, names: ReadonlySet<string>): HttpResult<never> {
  const reason =
    'the policy has no such site, and no web server serves one with that name for the tenant';
  const shown = [...names].sort().slice(0, namesShownMax).join(', ');
  const more = names.size > namesShownMax ? ` and ${names.size - namesShownMax} more` : '';
  const known =
    names.size === 0 ? 'none is known for the tenant' : `those that are served: ${shown}${more}`;
  const hint = `${known}; a new one is found within a minute, and the administrator sees all with "bulkhead web status"`;
  return httpError({ status: 404, action: 'change limits of', object, reason, hint });
}

/**
 * Returns the roles in which this uid may set limits of the tenant's sites. The reseller comes first; it can also be
 * the tenant.
 */
function delegatesAs(uid: number, { who, resellerUid, source }: MemberEntry): SiteLimitSetters {
  const uids = { reseller: resellerUid, tenant: who.uid };
  return delegatesOf(source).filter((each) => uids[each] === uid);
}

/** Returns the current owners of the uids; undefined if one of them may not be the account that the policy means. */
function holdersNow(
  membership: Membership,
  tenantUid: number,
  setter: SiteLimitSetter,
  uid: number,
): SiteLimitOwners | undefined {
  const tenant = membership.ownerOf(tenantMember(tenantUid));
  if (tenant === undefined || setter === 'tenant') return tenant;
  const reseller = membership.ownerOf(resellerMember(uid));
  return reseller && { ...tenant, reseller: { uid, ...reseller } };
}
