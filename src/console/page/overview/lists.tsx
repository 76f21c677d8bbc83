/** The lists of the overview: who is at a limit, the worst incidents, and the last changes of the policy. */
import type { IncidentRow } from '../../../agent/api/api.ts';
import type { PolicyChangeRow } from '../../../agent/api/report-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { SeverityBadge } from '../parts/badge.tsx';
import { ChangedValue } from '../parts/changed-value.tsx';
import { Course } from '../parts/course.tsx';
import { English } from '../parts/english.tsx';
import { Answered } from '../parts/notes.tsx';
import type { Asked } from '../state/answer.ts';
import { isRule, shownSeverity, type IncidentSummary } from '../state/incidents.ts';
import { limitWords, numbers } from '../state/language.ts';
import type { LiveMember } from '../state/live.ts';
import { measure, measureKeys, metricText } from '../state/measures.ts';
import { href } from '../state/route.ts';
import { words } from './words.ts';

const listMax = 6;

export function AtLimitPanel({ atLimit }: { readonly atLimit: readonly LiveMember[] }) {
  const { overview } = words.value;
  return (
    <section class="panel">
      <h2>{overview.atLimit}</h2>
      {atLimit.length === 0 && <p class="quiet">{overview.nobodyAtLimit}</p>}
      <ul class="list">
        {atLimit.slice(0, listMax).map((member) => (
          <AtLimitRow key={member.who.member} member={member} />
        ))}
      </ul>
      <p>
        <a href={href(['tenants'], { sort: 'cpu' })}>{overview.allTenants}</a>
      </p>
    </section>
  );
}

export function WorstPanel({ incidents }: { readonly incidents: Asked<IncidentSummary> }) {
  const { overview } = words.value;
  return (
    <section class="panel">
      <h2>{overview.worst}</h2>
      <Answered asked={incidents}>
        {({ worst }) =>
          worst.length === 0 ? (
            <p class="quiet">{overview.nothingHappened}</p>
          ) : (
            <ul class="list">
              {worst.map((incident) => (
                <IncidentItem key={incident.id} incident={incident} />
              ))}
            </ul>
          )
        }
      </Answered>
      <p>
        <a href={href(['incidents'])}>{overview.allIncidents}</a>
      </p>
    </section>
  );
}

export function LastChanges({ changes }: { readonly changes: readonly PolicyChangeRow[] }) {
  const { overview } = words.value;
  if (changes.length === 0) return null;
  return (
    <section class="panel">
      <h2>{overview.changes}</h2>
      <ul class="list">
        {changes.map(({ number, at, user, way, outcome, values }) => (
          <li key={number} class="change-row">
            <span class="quiet">{numbers.value.time(at, Date.now())}</span>
            <span>
              {user ?? overview.byHand}{' '}
              {user !== undefined && <English class="quiet">({way})</English>}
            </span>
            <span>
              {values.map((each, index) => (
                <span class="line" key={index}>
                  <ChangedValue change={each} />
                </span>
              ))}
            </span>
            <span class="quiet">{outcomeText(outcome)}</span>
          </li>
        ))}
      </ul>
      <p>
        <a href={href(['policy'], { view: 'changes' })}>{overview.allChanges}</a>
      </p>
    </section>
  );
}

function outcomeText(outcome: string): string {
  const known: Readonly<Record<string, string>> = words.value.outcomes;
  return Object.hasOwn(known, outcome) ? (known[outcome] ?? outcome) : outcome;
}

function AtLimitRow({ member }: { readonly member: LiveMember }) {
  const { who: each, limitsHit, course } = member;
  return (
    <li class="at-limit-row">
      <a class="name" href={href(['tenants', each.name])}>
        {each.name}
      </a>
      <span>
        {limitsHit.map((key) => (
          <LimitUse key={key} member={member} limit={key} />
        ))}
      </span>
      <Course values={course} top={each.limits['cpu.limit']} />
    </li>
  );
}

interface LimitUseProps {
  readonly member: LiveMember;
  readonly limit: LimitKey;
}

/** A limit that was hit, with what is used of it now, if that is measured. */
function LimitUse({ member, limit }: LimitUseProps) {
  const found = measureKeys
    .map((key) => measure(member, key))
    .find(({ limitKey }) => limitKey === limit);
  return (
    <span class="line">
      <span class="at-limit">{limitWords(limit)}</span>{' '}
      {found?.limit !== undefined && (
        <span class="quiet">
          {words.value.of(
            metricText(found.metric, found.used),
            metricText(found.metric, found.limit),
          )}
        </span>
      )}
    </span>
  );
}

function IncidentItem({ incident }: { readonly incident: IncidentRow }) {
  const { id, limit, value, end } = incident;
  return (
    <li class="incident-row">
      <SeverityBadge severity={shownSeverity(incident)} />
      <a class="name" href={href(['incidents', String(id)])}>
        {incident.who.name}
      </a>
      <span>
        {limitWords(limit)} <span class="quiet">{isRule(incident) || value}</span>
      </span>
      <span class="quiet">{numbers.value.time(end, Date.now())}</span>
    </li>
  );
}
