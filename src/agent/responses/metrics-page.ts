/** `GET /metrics`: the page that Prometheus reads, for the administrator. */
import { contentTypes, formatFor } from '../metrics/content-type.ts';
import { exposition, type ExposedMember } from '../metrics/exposition.ts';
import type { Member } from '../../usage/member.ts';
import { isAdministrator } from '../api/caller.ts';
import { HttpError, type RequestContext } from '../api/request-context.ts';

export function answerMetrics({ agent, caller, accept }: RequestContext): Response {
  if (!isAdministrator(caller))
    throw new HttpError(403, 'Only root may see the metrics of the host');
  const { latest, memberIndex } = agent;
  const members = new Map<Member, ExposedMember>();
  for (const [member, { who, limits }] of memberIndex.entries) {
    const counters = latest.counters(member);
    if (counters === undefined) continue;
    const { memoryPeak, threadsPeak } = latest.usage(member);
    // A high-water mark may be older; the tick has the maximum within it.
    const peaks = {
      memoryPeakBytes: Math.max(counters.memoryBytes, memoryPeak),
      threadsPeak: Math.max(counters.threads, threadsPeak),
    };
    members.set(member, { who, counters: { ...counters, ...peaks }, limits });
  }
  const exposed = { members, faults: latest.totals, status: agent.status() };
  const format = formatFor(accept);
  const chunks = exposition(exposed, { format });
  return new Response([...chunks].join(''), { headers: { 'content-type': contentTypes[format] } });
}
