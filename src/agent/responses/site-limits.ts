/**
 * `GET /v1/tenants/NAME/limits`: each limit, its value, and what set it. `POST` changes what a tenant has set for one of its
 * own sites: `?set=cpu.limit=50%&unset=memory`, with `check=1` without changing anything.
 */
import { ok } from '../../base/result.ts';
import type { Problem } from '../../base/problem.ts';
import { maySetSiteLimits } from '../../policy/policy.ts';
import type { SiteLimitHolder } from '../../policy/sites/site-limits.ts';
import { tenantMember } from '../../usage/member.ts';
import type { ExplainResponse, SetLimitsResponse } from '../api/api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import type { Entry } from '../sampling/member-index.ts';
import { readChange, type SiteChange } from '../site-limits/wanted-change.ts';
import { namedEntry } from './members.ts';

export function answerLimits(request: RequestContext, name: string): HttpResult<ExplainResponse> {
  const named = namedEntry(request, name);
  if (!named.ok) return named;
  return explained(request, named.value);
}

function explained({ agent }: RequestContext, { who }: Entry): HttpResult<ExplainResponse> {
  const found = agent.memberIndex.explain(who.member);
  if (found !== undefined) return ok(found);
  const reason = 'it is a reseller, whose limits are those of the sum of its tenants';
  return httpError({ status: 404, action: 'explain', object: who.name, reason });
}

export async function answerSetLimits(
  request: RequestContext,
  name: string,
): Promise<HttpResult<SetLimitsResponse>> {
  const found = ownSite(request, name);
  if (!found.ok) return found;
  const { entry, tenant, holder } = found.value;
  const { query, agent } = request;
  const [set, unset] = [query.names('set'), query.names('unset')];
  if (!set.ok) return set;
  if (!unset.ok) return unset;
  const { who, cgroup, source } = entry;
  const named = { name: who.name, chain: source.chain, tenant: tenant.values };
  const change = readChange(named, set.value, unset.value);
  if (!change.ok) return change;
  if (query.flag('check')) return ok({ who, state: 'checked' });
  const sites = [...agent.memberIndex.entries.values()].flatMap((each) =>
    each.who.uid === who.uid ? (each.who.site ?? []) : [],
  );
  const made = await agent.siteLimits.make(
    { uid: who.uid, holder, site: who.site ?? '', label: who.name, cgroup, own: new Set(sites) },
    change.value,
    reclaims(request, cgroup, change.value),
  );
  return made.ok ? ok({ who, state: made.value }) : made;
}

/** Whether more is in use than will be allowed. */
function reclaims({ agent }: RequestContext, cgroup: string, change: SiteChange): boolean {
  const limit = change.get('memory.limit');
  return typeof limit === 'number' && (agent.driver?.memoryInUse(cgroup) ?? 0) > limit;
}

interface OwnSite {
  readonly entry: Entry;
  readonly tenant: Entry;
  readonly holder: SiteLimitHolder;
}

/** Only the tenant itself, whom the kernel has named, and only while it is who the policy means. */
function ownSite(request: RequestContext, name: string): HttpResult<OwnSite> {
  const { agent, caller } = request;
  const refuse = (cause: Omit<Problem, 'action' | 'object'>) =>
    httpError({ status: 403, action: 'change limits of', object: name, ...cause });
  if (caller.kind !== 'uid') return refuse({ reason: 'a token changes nothing' });
  if (caller.uid === 0) {
    const hint = 'use "bulkhead set" as root';
    return refuse({ reason: 'the administrator sets limits in the policy', hint });
  }
  const named = namedEntry(request, name);
  if (!named.ok) return named;
  const entry = named.value;
  const tenant = agent.memberIndex.entries.get(tenantMember(caller.uid));
  const holder = agent.membership.holderOf(tenantMember(caller.uid));
  if (entry.who.uid !== caller.uid || tenant === undefined || holder === undefined)
    return refuse({ reason: 'it is not your own' });
  if (entry.who.kind !== 'site') {
    const hint = 'name one of your sites, for example "shop.example"';
    return refuse({ reason: 'only the administrator sets your own limits', hint });
  }
  if (!maySetSiteLimits(tenant.source))
    return refuse({ reason: 'the administrator does not let you set limits of your sites' });
  return ok({ entry, tenant, holder });
}
