/** `GET /metrics`: the page that Prometheus reads, for the administrator. */
import { contentTypes, formatFor } from '../metrics/content-type.ts';
import { webFigures } from '../metrics/member-families.ts';
import { exposition, type ExposedMember } from '../metrics/exposition.ts';
import type { Member } from '../../usage/member.ts';
import { isAdministrator } from '../api/caller.ts';
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { AgentContext, RequestContext } from '../api/request-context.ts';

export function answerMetrics({ agent, caller, accept }: RequestContext): HttpResult<Response> {
  if (!isAdministrator(caller)) {
    const reason = 'only root may see those of the host';
    return httpError({ status: 403, action: 'show metrics', reason });
  }
  const members = exposedMembers(agent);
  const protections = agent.protections();
  const host = agent.hostFigures();
  const exposed = {
    members,
    faults: agent.latest.totals,
    status: agent.status(),
    protections,
    fleet: agent.fleet?.status(),
    host,
  };
  const format = formatFor(accept);
  const chunks = exposition(exposed, { format });
  const headers = { 'content-type': contentTypes[format] };
  return ok(new Response([...chunks].join(''), { headers }));
}

function exposedMembers(agent: AgentContext): ReadonlyMap<Member, ExposedMember> {
  const { latest, memberIndex } = agent;
  const disks = agent.diskUsages();
  const members = new Map<Member, ExposedMember>();
  for (const [member, entry] of memberIndex.entries) {
    const { who, limits, observed, given } = entry;
    const counters = latest.counters(member);
    const disk = disks.get(member);
    // Files outlast processes, and with them a cgroup of systemd's.
    if (counters === undefined && disk === undefined) continue;
    const { memoryPeak, threadsPeak } = latest.usage(member);
    const counted = counters !== undefined && {
      counters: {
        ...counters,
        // A high-water mark may be older; the tick has the maximum within it.
        memoryPeakBytes: Math.max(counters.memoryBytes, memoryPeak),
        threadsPeak: Math.max(counters.threads, threadsPeak),
      },
    };
    const mail = agent.mailOf(entry);
    const known = mail !== undefined && mail !== 'unknown' && { mail };
    const compared = observed !== undefined && { observed: given.numbers };
    const used = disk !== undefined && { disk };
    const database = agent.databaseUseOf(entry);
    const asked = database !== undefined && { database };
    const network = agent.networkUseOf(entry);
    const sent = agent.sentByWebOf(entry);
    const web = sent !== undefined && sent !== 'unknown' && { sentByWeb: webFigures(sent) };
    const counts = { ...asked, ...(network !== undefined && { network }), ...web };
    members.set(member, { who, limits, ...counted, ...compared, ...known, ...used, ...counts });
  }
  return members;
}
