/**
 * `GET /v1/tenants/NAME/limits`: each limit, its value, and what set it. `POST` changes the limits that a tenant, or
 * its reseller, has set for the tenant's own sites: `?set=cpu.limit=50%&unset=memory`. With `check=1` it changes
 * nothing.
 */
import { ok } from '../../../packages/base/result.ts';
import { setterOf } from '../../policy/sites/site-limits.ts';
import type { ExplainResponse, SetLimitsResponse } from '../api/api.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { withLimitNow } from '../../policy/databases/explain-counts.ts';
import { type RequestContext } from '../api/request-context.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { readChange, type SiteChange } from '../changes/wanted-change.ts';
import { changeableSite } from './changeable-site.ts';
import { namedEntry } from './members.ts';

export function answerLimits(request: RequestContext, name: string): HttpResult<ExplainResponse> {
  const named = namedEntry(request, name);
  if (!named.ok) return named;
  return explained(request, named.value);
}

function explained({ agent }: RequestContext, entry: MemberEntry): HttpResult<ExplainResponse> {
  const { who } = entry;
  const found = agent.memberIndex.explain(who.member);
  if (found !== undefined) return ok(withLimitNow(found, agent.cpuLimitNowOf(entry)));
  const reason = 'it is a reseller, whose limits are those of the sum of its tenants';
  return httpError({ status: 404, action: 'explain', object: who.name, reason });
}

export async function answerSetLimits(
  request: RequestContext,
  name: string,
): Promise<HttpResult<SetLimitsResponse>> {
  const found = await changeableSite(request, name);
  if (!found.ok) return found;
  const { entry, tenant, holders } = found.value;
  const { query, agent } = request;
  const [set, unset] = [query.names('set'), query.names('unset')];
  if (!set.ok) return set;
  if (!unset.ok) return unset;
  const { who, cgroup, source } = entry;
  const setter = setterOf(holders);
  const site = { name: who.name, ...source, tenant: tenant.observed ?? tenant.values, setter };
  const change = readChange(site, set.value, unset.value);
  if (!change.ok) return change;
  if (query.flag('check')) return ok({ who, state: 'checked' });
  const written = sitesOfPolicy(request, who.uid);
  const made = await agent.siteLimits.make(
    { uid: who.uid, holders, site: who.site ?? '', label: who.name, cgroup, written },
    change.value,
    reclaims(request, cgroup, change.value),
    request.slot,
  );
  return made.ok ? ok({ who, state: made.value }) : made;
}

const sitesOfPolicy = ({ agent }: RequestContext, uid: number): ReadonlySet<string> =>
  new Set(
    [...agent.memberIndex.entries.values()].flatMap(({ who, source }) =>
      who.uid === uid && source.chain.some(({ kind }) => kind === 'site') ? (who.site ?? []) : [],
    ),
  );

/** Whether more is in use than will be allowed. */
function reclaims({ agent }: RequestContext, cgroup: string, change: SiteChange): boolean {
  const limit = change.get('memory.limit');
  return typeof limit === 'number' && (agent.driver?.memoryInUse(cgroup) ?? 0) > limit;
}
