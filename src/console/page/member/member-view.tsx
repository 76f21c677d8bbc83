/** Everything about one member: what happened, its use now and over time, its incidents, processes and changes. */
import type { ComponentChildren } from 'preact';
import type { IncidentsResponse, TopRow } from '../../../agent/api/api.ts';
import { useAnswer } from '../state/answer.ts';
import { words } from './words.ts';
import { members, role, who as everybody } from '../state/live.ts';
import { argumentOf } from '../state/member.ts';
import { currentPeriod, periodOptions } from '../state/period.ts';
import { href, queryOf, setQuery } from '../state/route.ts';
import { Charts } from '../charts/charts.tsx';
import { CommandLine, shellWord } from '../parts/command-line.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { IncidentList } from './incident-list.tsx';
import { IncidentView } from './lazy-incident-view.ts';
import { MailChoice } from './mail-choice.tsx';
import { MemberTiles } from './member-tiles.tsx';
import { PeriodTools } from './period-tools.tsx';
import { ProcessesNow } from './processes-now.tsx';
import { Troubles } from './troubles.tsx';

interface MemberViewProps {
  readonly who: TopRow;
  /** Whether the reader is the tenant itself. */
  readonly isOwn?: boolean;
  /** Stands below the processes. */
  readonly children?: ComponentChildren;
}

/** Bounds of what the charts mark, and of the sites whose incidents a tenant's page has. */
const incidentsMax = 500;
const sitesMax = 50;

export function MemberView({ who, isOwn = false, children }: MemberViewProps) {
  const period = currentPeriod();
  const { from, until } = period;
  const sites = isOwn || who.kind === 'tenant' ? sitesOf(who) : [];
  const incidents = useAnswer<IncidentsResponse>('v1/incidents', {
    tenant: [who, ...sites.slice(0, sitesMax)].map(argumentOf),
    from,
    to: until,
    count: incidentsMax,
  });
  // The tenant has read what happened in the first sentence, and compares its use with it.
  const list = <IncidentList asked={incidents} name={who.name} />;
  return (
    <>
      <Troubles who={who} period={period} isOwn={isOwn} />
      <LiveTiles who={who} />
      <PeriodTools period={period} />
      {!isOwn && list}
      <h2>{words.value.tenant.charts.title}</h2>
      <Charts who={who} period={period} incidents={incidents} />
      {isOwn && list}
      <ProcessesNow who={who} />
      {children}
      {isOwn && <MailChoice />}
      <CommandLine command={`bulkhead usage ${shellWord(who.name)} ${periodOptions(period)}`} />
      <IncidentDrawer />
    </>
  );
}

const sitesOf = ({ uid, kind }: TopRow): readonly TopRow[] =>
  kind === 'site'
    ? []
    : (everybody.value?.rows ?? []).filter((each) => each.kind === 'site' && each.uid === uid);

export function SiteLinks({ who }: { readonly who: TopRow }) {
  const sites = sitesOf(who);
  if (sites.length === 0) return null;
  return (
    <p>
      <span class="quiet">{words.value.tenant.sites}</span>{' '}
      {sites.slice(0, sitesMax).map(({ member, name, site }) => (
        <span key={member}>
          <a href={href(['tenants', name])}>{site ?? name}</a>{' '}
        </span>
      ))}
    </p>
  );
}

function LiveTiles({ who }: { readonly who: TopRow }) {
  const live = members.value.find((each) => each.who.member === who.member);
  const sum =
    role.value === 'reseller' && who.kind !== 'reseller'
      ? members.value.find((each) => each.who.kind === 'reseller')
      : undefined;
  return live === undefined ? null : <MemberTiles member={live} sum={sum} />;
}

function IncidentDrawer() {
  const id = queryOf('incident');
  if (!/^\d{1,15}$/.test(id)) return null;
  const { incident } = words.value;
  return (
    <Dialog
      key={id}
      kind="drawer"
      title={incident.title(id)}
      onClose={() => setQuery({ incident: undefined })}
    >
      <IncidentView id={id} />
      <p>
        <a href={href(['incidents', id])}>{incident.asPage}</a>
      </p>
    </Dialog>
  );
}
