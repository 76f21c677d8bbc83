/** `GET /v1/incidents` and `GET /v1/incidents/ID`. */
import { attributes } from '../../limits/limits.ts';
import { severities, type LimitKey } from '../../limits/limit.ts';
import { explainIncident } from '../../usage/explain-incident.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { isReseller, uidOf } from '../../usage/member.ts';
import type { IncidentResponse, IncidentRow, IncidentsResponse, Who } from '../api/api.ts';
import type { Entry, MemberIndex } from '../sampling/member-index.ts';
import { hostTimeZone } from '../alerts/time-zone.ts';
import { isAdministrator, maySee, maySeeCommands, seesSince, type Caller } from '../api/caller.ts';
import { orThrow, HttpError, type RequestContext } from '../api/request-context.ts';
import { askedEntries, membersOf } from './members.ts';

const day = 86_400_000;
const incidentsMax = 1000;
const limitKeys = [...attributes.keys()];

export function answerIncidents(request: RequestContext): IncidentsResponse {
  const { agent, query } = request;
  const { from, to } = query.period(Date.now(), day);
  const entries = askedEntries(request);
  const members = membersOf(request, entries);
  const limit = query.choice<LimitKey>('limit', limitKeys);
  const severity = query.choice('severity', severities);
  const found = agent.events.incidents({
    from,
    to,
    count: query.whole('count', 100, incidentsMax),
    ...(members === undefined ? {} : { members, since: beginnings(request, entries) }),
    ...(limit === undefined ? {} : { limit }),
    ...(severity === undefined ? {} : { severity }),
  });
  const { incidents: list, total } = orThrow(found);
  const incidents = list.map((each) => withWho(each, agent.memberIndex));
  return { incidents, total };
}

export function answerIncident({ agent, caller }: RequestContext, text: string): IncidentResponse {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  const found = Number.isNaN(id) ? undefined : orThrow(agent.events.incident(id));
  const entry = found && agent.memberIndex.entries.get(found.incident.member);
  const visible =
    entry === undefined
      ? isAdministrator(caller)
      : maySee(caller, entry) &&
        found !== undefined &&
        found.incident.begin >= seesSince(caller, entry, agent.membership);
  if (found === undefined || !visible) {
    throw new HttpError(404, `There is no incident ${JSON.stringify(text)} that you may see`);
  }
  const row = withWho(found.incident, agent.memberIndex);
  const showCommands =
    entry === undefined
      ? isAdministrator(caller) && caller.kind === 'uid'
      : maySeeCommands(caller, entry);
  const evidence = showCommands ? found.evidence : found.evidence.map(withoutCommands);
  const explanation = explainIncident(found.incident, evidence, row.who.name, {
    showCommands,
    reader: readerOf(caller, row.who),
    timeZone: hostTimeZone(),
  });
  return { ...row, evidence, explanation };
}

function readerOf(caller: Caller, who: Who): 'administrator' | 'reseller' | 'tenant' {
  if (caller.kind === 'token' || caller.uid === 0) return 'administrator';
  return who.uid === caller.uid && who.kind === 'tenant' ? 'tenant' : 'reseller';
}

const beginnings = ({ caller, agent }: RequestContext, entries: readonly Entry[]) =>
  new Map(
    entries.flatMap((entry) => {
      const since = seesSince(caller, entry, agent.membership);
      return Number.isFinite(since) ? [[entry.who.member, since] as const] : [];
    }),
  );

/** The account of that time may have been removed since, and another may have the uid. */
function withWho(incident: Incident, memberIndex: MemberIndex): IncidentRow {
  const now = memberIndex.entries.get(incident.member)?.who;
  const isSame = now !== undefined && (incident.name === '' || incident.name === now.name);
  return { ...incident, who: isSame ? now : formerMember(incident) };
}

function formerMember({ member, name }: Incident): Who {
  const uid = uidOf(member);
  return {
    member,
    uid,
    name: name === '' ? `uid ${uid}` : name,
    kind: isReseller(member) ? 'reseller' : 'tenant',
  };
}

function withoutCommands(snapshot: Snapshot): Snapshot {
  const processes = snapshot.processes.map((each) => ({ ...each, command: `[${each.name}]` }));
  return { ...snapshot, processes };
}
