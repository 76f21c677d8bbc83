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
    if (counters !== undefined) members.set(member, { who, counters, limits });
  }
  const exposed = { members, faults: live.totals, status: agent.status() };
  const format = formatFor(accept);
  const chunks = exposition(exposed, { format });
  return new Response([...chunks].join(''), { headers: { 'content-type': contentTypes[format] } });
}
