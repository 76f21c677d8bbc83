/** `GET /v1/incidents` and `GET /v1/incidents/ID`. */
import { attributes } from '../../limits/limits.ts';
import { severities, type LimitKey } from '../../limits/limit.ts';
import { explainIncident, topicOf } from '../../usage/explain-incident.ts';
import { heavyUsers, seenRequests } from '../../usage/causes/causes.ts';
import type { IncidentsQuery } from '../../store/events/incident-query.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import { kindOf, uidOf } from '../../usage/member.ts';
import type { IncidentResponse, IncidentRow, IncidentsResponse, Who } from '../api/api.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';
import { hostTimeZone } from '../alerts/time-zone.ts';
import {
  isAdministrator,
  isRoot,
  maySee,
  maySeeCommands,
  seesSince,
  type Caller,
} from '../api/caller.ts';
import { ok } from '../../../packages/base/result.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import { askedEntries, membersOf } from './members.ts';

const day = 86_400_000;
const incidentsMax = 1000;

export function answerIncidents(request: RequestContext): HttpResult<IncidentsResponse> {
  const { agent } = request;
  const query = incidentsQuery(request);
  if (!query.ok) return query;
  const found = fromStore(agent.events.incidents(query.value));
  if (!found.ok) return found;
  const { incidents, total } = found.value;
  return ok({ incidents: incidents.map((each) => withWho(each, agent.memberIndex)), total });
}

function incidentsQuery(request: RequestContext): HttpResult<IncidentsQuery> {
  const { query, agent } = request;
  const period = query.period(Date.now(), day);
  if (!period.ok) return period;
  const entries = askedEntries(request);
  if (!entries.ok) return entries;
  const keys = [...attributes.keys(), ...agent.kinds.keysWithoutLimit()];
  const limit = query.choice<LimitKey>('limit', keys);
  if (!limit.ok) return limit;
  const severity = query.choice('severity', severities);
  if (!severity.ok) return severity;
  const count = query.whole('count', 100, incidentsMax);
  if (!count.ok) return count;
  const members = membersOf(request, entries.value);
  return ok({
    ...period.value,
    count: count.value,
    ...(members === undefined ? {} : { members, since: beginnings(request, entries.value) }),
    ...(limit.value === undefined ? {} : { limit: limit.value }),
    ...(severity.value === undefined ? {} : { severity: severity.value }),
    ...(query.flag('enforced') && { enforcedRules: agent.kinds.keysWithoutLimit() }),
  });
}

export function answerIncident(
  { agent, caller }: RequestContext,
  text: string,
): HttpResult<IncidentResponse> {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  const read = Number.isNaN(id) ? ok(undefined) : fromStore(agent.events.incident(id));
  if (!read.ok) return read;
  const found = read.value;
  const entry = found && agent.memberIndex.entries.get(found.incident.member);
  const visible =
    entry === undefined
      ? isAdministrator(caller)
      : maySee(caller, entry) &&
        found !== undefined &&
        found.incident.begin >= seesSince(caller, entry, agent.membership);
  if (found === undefined || !visible) {
    return httpError({
      status: 404,
      action: 'show incident',
      object: text,
      reason: 'there is none with that number that you may see',
    });
  }
  return ok(inFull({ agent, caller }, found, withWho(found.incident, agent.memberIndex), entry));
}

/** Returns an incident as the caller may see it, explained; `entry`: its member, if it still is one. */
export function inFull(
  { agent, caller }: Pick<RequestContext, 'agent' | 'caller'>,
  found: { readonly incident: Incident; readonly evidence: readonly Snapshot[] },
  row: IncidentRow,
  entry: MemberEntry | undefined,
): IncidentResponse {
  const showCommands = entry === undefined ? isRoot(caller) : maySeeCommands(caller, entry);
  const evidence = showCommands
    ? found.evidence
    : found.evidence.map((each) => withoutCommands(each, agent.kinds));
  const explanation = explainIncident(found.incident, evidence, row.who.name, {
    kinds: agent.kinds,
    showCommands,
    reader: readerOf(caller, row.who),
    timeZone: hostTimeZone(),
  });
  const { resource } = topicOf(found.incident, agent.kinds);
  const users = heavyUsers(resource, evidence, showCommands);
  return { ...row, evidence, explanation, resource, users, requests: seenRequests(evidence) };
}

function readerOf(caller: Caller, who: Who): 'administrator' | 'reseller' | 'tenant' {
  if (caller.kind === 'token' || caller.uid === 0) return 'administrator';
  return who.uid === caller.uid && who.kind !== 'reseller' ? 'tenant' : 'reseller';
}

/** Returns the time since when the caller may see the incidents of each member. */
export const beginnings = ({ caller, agent }: RequestContext, entries: readonly MemberEntry[]) =>
  new Map(
    entries.flatMap((entry) => {
      const since = seesSince(caller, entry, agent.membership);
      return Number.isFinite(since) ? [[entry.who.member, since] as const] : [];
    }),
  );

/**
 * Adds the member. The account of that time may have been removed since, and another may have the
 * uid.
 */
export function withWho(incident: Incident, memberIndex: MemberIndex): IncidentRow {
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
    kind: kindOf(member),
  };
}

/** Returns the snapshot as a reseller, and whoever has the token, may see it. */
export function withoutCommands(snapshot: Snapshot, kinds: IncidentKinds): Snapshot {
  const { evidence } = snapshot;
  const processes = snapshot.processes.map(({ request, ...each }) => {
    void request;
    return { ...each, command: `[${each.name}]` };
  });
  return {
    ...snapshot,
    processes,
    ...(evidence === undefined ? {} : { evidence: kinds.redact(evidence) }),
  };
}
