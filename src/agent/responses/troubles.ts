/**
 * `GET /v1/tenants/NAME/troubles`: what its limits did to a tenant in a period, the worst first, and what can be done about
 * it. A page for customers begins with it: "Your site had to wait for CPU for 1 h 30 min. Nothing failed."
 */
import { ok } from '../../../packages/base/result.ts';
import { severities } from '../../limits/limit.ts';
import { heavyUsers, seenRequests } from '../../usage/causes/causes.ts';
import { remediesFor } from '../../usage/causes/remedies.ts';
import { topicOf } from '../../usage/explain-incident.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { maySee, maySeeCommands } from '../api/caller.ts';
import { fromStore, type HttpResult } from '../api/http-result.ts';
import type { Trouble, TroublesResponse } from '../api/report-api.ts';
import type { RequestContext } from '../api/request-context.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { currentMilliseconds } from '../sampling/near-limits.ts';
import { beginnings, withoutCommands } from './incidents.ts';
import { namedEntry } from './members.ts';

const day = 86_400_000;
const incidentsMax = 1000;
/** Each needs its evidence read. */
const troublesMax = 20;

export function answerTroubles(
  request: RequestContext,
  name: string,
): HttpResult<TroublesResponse> {
  const { agent, query } = request;
  const named = namedEntry(request, name);
  if (!named.ok) return named;
  const period = query.period(Date.now(), day);
  if (!period.ok) return period;
  const entries = withSites(request, named.value);
  const members = entries.map(({ who }) => who.member);
  const since = beginnings(request, entries);
  const asked = { ...period.value, members, since, count: incidentsMax };
  const found = fromStore(agent.events.incidents(asked));
  if (!found.ok) return found;
  const { incidents, total } = found.value;
  const groups = groupsOf(agent.kinds, incidents, period.value, agent.intervalSeconds * 1000);
  const troubles: Trouble[] = [];
  for (const group of groups.slice(0, troublesMax)) {
    const entry = entries.find(({ who }) => who.member === group.worst.member);
    const made = troubleOf(request, entry, group);
    if (!made.ok) return made;
    troubles.push(...made.value);
  }
  const isCut = total > incidents.length || groups.length > troublesMax;
  return ok({ who: named.value.who, ...period.value, troubles, isCut });
}

const rank = ({ severity }: Incident) => severities.indexOf(severity);

/** A tenant's limits include those of its sites. */
function withSites({ agent, caller }: RequestContext, entry: MemberEntry): readonly MemberEntry[] {
  if (entry.who.kind !== 'tenant') return [entry];
  const { uid } = entry.who;
  const sites = [...agent.memberIndex.entries.values()].filter(
    (each) => each.who.kind === 'site' && each.who.uid === uid && maySee(caller, each),
  );
  return [entry, ...sites];
}

interface Period {
  readonly from: number;
  readonly to: number;
}

/** The incidents of one limit of one member. */
interface Group {
  readonly incidents: readonly Incident[];
  readonly worst: Incident;
  readonly seconds: number;
}

/** Groups incidents by member and limit, the worst first. Those that had no effect are left out. */
function groupsOf(
  kinds: IncidentKinds,
  incidents: readonly Incident[],
  period: Period,
  tickMilliseconds: number,
): readonly Group[] {
  const hits = incidents.filter(({ severity, limit }) => {
    const onlyWatched = severity === 'throttled' && kinds.withoutLimit(limit) !== undefined;
    return severity !== 'observed' && !onlyWatched;
  });
  return [...Map.groupBy(hits, ({ member, limit }) => `${member} ${limit}`).values()]
    .flatMap((group) => {
      const worst = worstOf(group);
      const seconds = secondsOf(group, period, tickMilliseconds);
      return worst === undefined ? [] : [{ incidents: group, worst, seconds }];
    })
    .sort((a, b) => rank(b.worst) - rank(a.worst) || b.seconds - a.seconds);
}

/** Returns the effects of one limit, whose incidents these are. */
function troubleOf(
  { agent, caller }: RequestContext,
  entry: MemberEntry | undefined,
  { incidents, seconds, worst }: Group,
): HttpResult<readonly Trouble[]> {
  if (entry === undefined) return ok([]);
  const read = fromStore(agent.events.incident(worst.id));
  if (!read.ok) return read;
  const showCommands = maySeeCommands(caller, entry);
  const evidence = seenEvidence(read.value?.evidence ?? [], showCommands, agent.kinds);
  const { kinds } = agent;
  const { limit, severity } = worst;
  const { resource } = topicOf(worst, kinds);
  const isLimit = kinds.withoutLimit(limit) === undefined;
  const { site } = entry.who;
  const own = kinds.get(limit)?.remedies?.(kinds.itemsOf(worst, evidence)) ?? [];
  const general = remediesFor({ resource, isLimit, showCommands }, evidence);
  return ok([
    {
      limit,
      ...(site !== undefined && { site }),
      resource,
      severity,
      faults: incidents.reduce((sum, { faults }) => sum + faults, 0),
      incidents: incidents.length,
      seconds,
      isNow: incidents.some(({ end }) => end > Date.now() - currentMilliseconds),
      worst: worst.id,
      value: worst.value,
      users: heavyUsers(resource, evidence, showCommands),
      requests: seenRequests(evidence),
      remedies: [...own, ...general],
    },
  ]);
}

const seenEvidence = (
  evidence: readonly Snapshot[],
  showCommands: boolean,
  kinds: Parameters<typeof withoutCommands>[1],
) => (showCommands ? evidence : evidence.map((each) => withoutCommands(each, kinds)));

const lengthOf = ({ begin, end }: Incident) => end - begin;

/** Returns the longest of the incidents with the worst effect; one without snapshots only if none has any. */
const worstOf = (incidents: readonly Incident[]): Incident | undefined =>
  incidents.toSorted(
    (a, b) =>
      rank(b) - rank(a) ||
      Math.sign(b.snapshots) - Math.sign(a.snapshots) ||
      lengthOf(b) - lengthOf(a) ||
      b.id - a.id,
  )[0];

/** Returns the time of incidents within a period. A fault was at some time in the tick before its time. */
function secondsOf(
  incidents: readonly Incident[],
  { from, to }: Period,
  tickMilliseconds: number,
): number {
  let [total, until] = [0, from];
  for (const { begin, end } of incidents.toSorted((a, b) => a.begin - b.begin)) {
    const first = Math.max(until, begin - tickMilliseconds);
    const last = Math.min(to, end);
    total += Math.max(0, last - first);
    until = Math.max(until, last);
  }
  return total / 1000;
}
