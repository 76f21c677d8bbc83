/** The incidents of a member in a period; each opens beside the page. */
import type { IncidentRow, IncidentsResponse } from '../../../agent/api/api.ts';
import type { Asked } from '../state/answer.ts';
import { whatHappened } from '../state/incident-words.ts';
import { shownSeverity } from '../state/incidents.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';
import { role } from '../state/live.ts';
import { href, route } from '../state/route.ts';
import { SeverityBadge } from '../parts/badge.tsx';
import { Answered } from '../parts/notes.tsx';

const shownMax = 6;

interface IncidentListProps {
  readonly asked: Asked<IncidentsResponse>;
  readonly name: string;
}

export function IncidentList({ asked, name }: IncidentListProps) {
  const { incidents: texts } = words.value.tenant;
  return (
    <section class="panel">
      <h2>{texts.title}</h2>
      <Answered asked={asked}>
        {({ incidents, total }) => (
          <>
            {incidents.length === 0 && <p class="quiet">{texts.none}</p>}
            <ul class="list">
              {incidents.slice(0, shownMax).map((row) => (
                <Row key={row.id} row={row} />
              ))}
            </ul>
            {total > shownMax && <More total={total} name={name} />}
          </>
        )}
      </Answered>
    </section>
  );
}

function Row({ row }: { readonly row: IncidentRow }) {
  const { path, query } = route.value;
  const address = href(path, { ...Object.fromEntries(query), incident: String(row.id) });
  return (
    <li class="incident">
      <SeverityBadge severity={shownSeverity(row)} />
      <span>
        <a href={address}>{whatHappened(row)}</a>
        <span class="second quiet wraps">{aboutIncident(row)}</span>
      </span>
    </li>
  );
}

/** Returns when it was, how long it lasted, what the limit was and how much was recorded. */
function aboutIncident({ begin, end, value, from, snapshots }: IncidentRow): string {
  const { incidents: texts } = words.value.tenant;
  const { ago, time, duration } = numbers.value;
  const now = Date.now();
  const seconds = (end - begin) / 1000;
  const limit =
    value === ''
      ? []
      : [from === '' || role.value !== 'root' ? texts.limit(value) : texts.limitFrom(value, from)];
  return [
    ago(begin, now),
    time(begin, now),
    ...(seconds < 1 ? [] : [texts.lasted(duration(seconds))]),
    ...limit,
    ...(snapshots === 0 ? [] : [texts.looks(snapshots)]),
  ].join(' · ');
}

function More({ total, name }: { readonly total: number; readonly name: string }) {
  const { incidents: texts } = words.value.tenant;
  const { number } = numbers.value;
  return (
    <p class="quiet">
      {texts.more(number(shownMax), number(total))}{' '}
      {role.value !== 'tenant' && <a href={href(['incidents'], { tenant: name })}>{texts.all}</a>}
    </p>
  );
}
