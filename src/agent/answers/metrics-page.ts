/** `GET /metrics`: the page that Prometheus reads, for the administrator. */
import { contentTypes, exposition, formatFor, type ExposedMember } from '../exposition.ts';
import type { Member } from '../../usage/member.ts';
import { isAdministrator } from '../viewer.ts';
import { Refusal, type Question } from './context.ts';

export function answerMetrics({ agent, viewer, accept }: Question): Response {
  if (!isAdministrator(viewer)) throw new Refusal(403, 'Only root may see the metrics of the host');
  const { live, roster } = agent;
  const members = new Map<Member, ExposedMember>();
  for (const [member, { who, limits }] of roster.entries) {
    const counters = live.counters(member);
    if (counters === undefined) continue;
    const { memoryPeak, threadsPeak } = live.usage(member);
    // A mark may be that of an earlier reading; the tick has what was the most in it.
    const peaks = {
      memoryPeakBytes: Math.max(counters.memoryBytes, memoryPeak),
      threadsPeak: Math.max(counters.threads, threadsPeak),
    };
    members.set(member, { who, counters: { ...counters, ...peaks }, limits });
  }
  const exposed = { members, faults: live.totals, status: agent.status() };
  const format = formatFor(accept);
  const chunks = exposition(exposed, { format });
  return new Response([...chunks].join(''), { headers: { 'content-type': contentTypes[format] } });
}
