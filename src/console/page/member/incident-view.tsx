/** One incident in plain words: what happened, what used most, what to do, and what ran. */
import '../shell/chunk.ts';
import type { IncidentResponse } from '../../../agent/api/api.ts';
import type { HeavyUser, SeenRequest } from '../../../usage/causes/causes.ts';
import type { KilledProcess } from '../../../usage/incident.ts';
import { useAnswer } from '../state/answer.ts';
import { amountText, proposalFor, sentencesOf, textOf } from '../state/incident-words.ts';
import { shownSeverity } from '../state/incidents.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';
import { role, who as members } from '../state/live.ts';
import { ChangeLimits } from '../parts/change-limits.tsx';
import { CommandLine, CopyButton, shellWord } from '../parts/command-line.tsx';
import { Disclosure } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { SeverityBadge } from '../parts/badge.tsx';
import { Answered } from '../parts/notes.tsx';
import { Refusals } from './refusals.tsx';
import { Snapshots } from './snapshots.tsx';

export function IncidentView({ id }: { readonly id: string }) {
  const asked = useAnswer<IncidentResponse>(`v1/incidents/${encodeURIComponent(id)}`);
  return <Answered asked={asked}>{(incident) => <Details incident={incident} />}</Answered>;
}

function Details({ incident }: { readonly incident: IncidentResponse }) {
  const { incident: texts } = words.value;
  const { resource, users, requests, evidence, explanation } = incident;
  const killed = killedIn(incident);
  return (
    <div class="incident-view">
      <p class="sentence">
        <SeverityBadge severity={shownSeverity(incident)} /> {sentencesOf(incident).join(' ')}
      </p>
      {killed.length > 0 && <Block title={texts.ended} items={killed.map(killedText)} />}
      {resource !== 'other' && (
        <>
          <h2>{texts.heaviest}</h2>
          {users.length === 0 ? (
            <p class="quiet">{texts.noUsers}</p>
          ) : (
            <ul class="plain">
              {users.map((user) => (
                <li key={user.title}>
                  <code>{user.title}</code> <span class="quiet">{userText(incident, user)}</span>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
      {requests.length > 0 && <Requests requests={requests} site={incident.who.site} />}
      <Refusals snapshots={evidence} />
      <Advice incident={incident} />
      <Snapshots key={incident.id} snapshots={evidence} showCommands={mayShow(incident)} />
      <Disclosure summary={texts.inFull}>
        {explanation.map((paragraph) => (
          <p key={paragraph}>
            <English>{paragraph}</English>
          </p>
        ))}
      </Disclosure>
      <p class="command">
        <CopyButton text={textOf(incident)} label={texts.copyText} />
      </p>
      <CommandLine command={`bulkhead incident ${incident.id}`} />
    </div>
  );
}

/** A reseller gets names in brackets in place of command lines. */
const mayShow = ({ who }: IncidentResponse) =>
  role.value === 'root' || (role.value === 'tenant' && who.kind !== 'reseller');

function Block({ title, items }: { readonly title: string; readonly items: readonly string[] }) {
  return (
    <>
      <h2>{title}</h2>
      <ul class="plain">
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </>
  );
}

function killedIn({ evidence }: IncidentResponse): readonly KilledProcess[] {
  const all = evidence.flatMap(({ killed = [] }) => killed);
  return [...new Map(all.map((each) => [each.pid, each])).values()];
}

function killedText({ name, pid, memoryBytes }: KilledProcess): string {
  const { endedOne, endedWith } = words.value.incident;
  return memoryBytes === undefined
    ? endedOne(name, pid)
    : endedWith(name, pid, numbers.value.bytes(memoryBytes));
}

function userText({ resource }: IncidentResponse, { amount, processes }: HeavyUser): string {
  const amounts = [amountText(resource, amount), words.value.incident.processes(processes)];
  return amounts.join(' · ');
}

interface RequestsProps {
  readonly requests: readonly SeenRequest[];
  readonly site: string | undefined;
}

function Requests({ requests, site }: RequestsProps) {
  const { incident: texts } = words.value;
  return (
    <>
      <h2>{texts.served}</h2>
      <ul class="list">
        {requests.map(({ method, path, script, count, secondsMax }) => (
          <li key={`${method} ${path} ${script}`}>
            <code>
              {method} {site}
              {path}
            </code>
            <span class="quiet">
              {[
                `${texts.script} ${script}`,
                texts.seen(count),
                texts.longest(numbers.value.duration(secondsMax)),
              ].join(' · ')}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Advice({ incident }: { readonly incident: IncidentResponse }) {
  const { incident: texts } = words.value;
  const { who, limit, resource } = incident;
  // A member that is gone has no limit to raise, and the one that has its uid now is another.
  const isThere =
    members.value?.rows.some(({ member, name }) => member === who.member && name === who.name) ===
    true;
  const proposal = isThere ? proposalFor(incident) : undefined;
  const advice = texts.advice[resource];
  if (advice === '' && proposal === undefined) return null;
  const verb = who.kind === 'reseller' ? 'reseller set' : 'set';
  const setting = `${limit.replace(/\.limit$/, '')}=${proposal}`;
  return (
    <>
      <h2>{texts.whatToDo}</h2>
      {advice !== '' && <p>{advice}</p>}
      {proposal !== undefined && (
        <p>
          {role.value === 'root' ? (
            <>
              {texts.raise} <code>{`bulkhead ${verb} ${shellWord(who.name)} ${setting}`}</code>{' '}
              {who.kind !== 'site' && <ChangeLimits target={`${who.kind} ${who.name}`} />}
            </>
          ) : (
            texts.askForMore(proposal)
          )}
        </p>
      )}
    </>
  );
}
