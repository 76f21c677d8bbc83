/** `GET /v1/incidents` and `GET /v1/incidents/ID`. */
import { attributes } from '../../limits/limits.ts';
import { severities, type LimitKey } from '../../limits/limit.ts';
import { explainIncident } from '../../usage/explain-incident.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { isReseller, uidOf, type Member } from '../../usage/member.ts';
import type { IncidentAnswer, IncidentRow, IncidentsAnswer, Who } from '../api.ts';
import type { Roster } from '../roster.ts';
import { hostTimeZone } from '../alerts/time-zone.ts';
import { isAdministrator, maySee, maySeeCommands, type Viewer } from '../viewer.ts';
import { orRefuse, Refusal, type Question } from './context.ts';
import { askedEntries, membersOf } from './members.ts';

const day = 86_400_000;
const mostIncidents = 1000;
const limitKeys = [...attributes.keys()];

export function answerIncidents(question: Question): IncidentsAnswer {
  const { agent, query } = question;
  const { from, to } = query.period(Date.now(), day);
  const members = membersOf(question, askedEntries(question));
  const limit = query.choice<LimitKey>('limit', limitKeys);
  const severity = query.choice('severity', severities);
  const found = agent.events.incidents({
    from,
    to,
    count: query.whole('count', 100, mostIncidents),
    ...(members === undefined ? {} : { members }),
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
  const visible = entry === undefined ? isAdministrator(viewer) : maySee(viewer, entry);
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

/** Who it was may have been removed since. */
function withWho(incident: Incident, roster: Roster): IncidentRow {
  return {
    ...incident,
    who: roster.entries.get(incident.member)?.who ?? formerMember(incident.member),
  };
}

function formerMember(member: Member): Who {
  const uid = uidOf(member);
  return { member, uid, name: `uid ${uid}`, kind: isReseller(member) ? 'reseller' : 'tenant' };
}

function withoutCommands(snapshot: Snapshot): Snapshot {
  const processes = snapshot.processes.map((each) => ({ ...each, command: `[${each.name}]` }));
  return { ...snapshot, processes };
}
