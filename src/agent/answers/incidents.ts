/** `GET /v1/incidents` and `GET /v1/incidents/ID`. */
import { attributes } from '../../limits/limits.ts';
import { severities, type LimitKey } from '../../limits/limit.ts';
import { explainIncident } from '../../usage/explain-incident.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { isReseller, uidOf } from '../../usage/member.ts';
import type { IncidentAnswer, IncidentRow, IncidentsAnswer, Who } from '../api.ts';
import type { Entry, Roster } from '../roster.ts';
import { hostTimeZone } from '../alerts/time-zone.ts';
import { isAdministrator, maySee, maySeeCommands, seesSince, type Viewer } from '../viewer.ts';
import { orRefuse, Refusal, type Question } from './context.ts';
import { askedEntries, membersOf } from './members.ts';

const day = 86_400_000;
const mostIncidents = 1000;
const limitKeys = [...attributes.keys()];

export function answerIncidents(question: Question): IncidentsAnswer {
  const { agent, query } = question;
  const { from, to } = query.period(Date.now(), day);
  const entries = askedEntries(question);
  const members = membersOf(question, entries);
  const limit = query.choice<LimitKey>('limit', limitKeys);
  const severity = query.choice('severity', severities);
  const found = agent.events.incidents({
    from,
    to,
    count: query.whole('count', 100, mostIncidents),
    ...(members === undefined ? {} : { members, since: beginnings(question, entries) }),
    ...(limit === undefined ? {} : { limit }),
    ...(severity === undefined ? {} : { severity }),
  });
  const { incidents: list, total } = orRefuse(found);
  const incidents = list.map((each) => withWho(each, agent.roster));
  return { incidents, total };
}

export function answerIncident({ agent, viewer }: Question, text: string): IncidentAnswer {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  const found = Number.isNaN(id) ? undefined : orRefuse(agent.events.incident(id));
  const entry = found && agent.roster.entries.get(found.incident.member);
  const visible =
    entry === undefined
      ? isAdministrator(viewer)
      : maySee(viewer, entry) &&
        found !== undefined &&
        found.incident.begin >= seesSince(viewer, entry, agent.membership);
  if (found === undefined || !visible) {
    throw new Refusal(404, `There is no incident ${JSON.stringify(text)} that you may see`);
  }
  const row = withWho(found.incident, agent.roster);
  const showCommands =
    entry === undefined
      ? isAdministrator(viewer) && viewer.kind === 'uid'
      : maySeeCommands(viewer, entry);
  const evidence = showCommands ? found.evidence : found.evidence.map(withoutCommands);
  const explanation = explainIncident(found.incident, evidence, row.who.name, {
    showCommands,
    reader: readerOf(viewer, row.who),
    timeZone: hostTimeZone(),
  });
  return { ...row, evidence, explanation };
}

function readerOf(viewer: Viewer, who: Who): 'administrator' | 'reseller' | 'tenant' {
  if (viewer.kind === 'token' || viewer.uid === 0) return 'administrator';
  return who.uid === viewer.uid && who.kind === 'tenant' ? 'tenant' : 'reseller';
}

const beginnings = ({ viewer, agent }: Question, entries: readonly Entry[]) =>
  new Map(
    entries.flatMap((entry) => {
      const since = seesSince(viewer, entry, agent.membership);
      return Number.isFinite(since) ? [[entry.who.member, since] as const] : [];
    }),
  );

/** Who it was then may have been removed since, and another may have the uid. */
function withWho(incident: Incident, roster: Roster): IncidentRow {
  const now = roster.entries.get(incident.member)?.who;
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
