/** Overview: whether everything is enforced, and who is at a limit; in words before any number. */
import type { IncidentRow } from '../../../agent/api/api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import type { Page } from '../page.ts';
import { Attention, StateSentence } from '../parts/attention.tsx';
import { SeverityBadge } from '../parts/badge.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { Course } from '../parts/course.tsx';
import { Answered } from '../parts/notes.tsx';
import { Tile, Tiles } from '../parts/tile.tsx';
import { useAnswer, type Asked } from '../state/answer.ts';
import { useIncidentSummary } from '../state/incidents.ts';
import { limitWords, numbers, words } from '../state/language.ts';
import { members, role, who, type LiveMember } from '../state/live.ts';
import { highestShare, metricText } from '../state/measures.ts';
import { href } from '../state/route.ts';
import { frame } from '../state/stream.ts';

const statusSeconds = 30;
const listMax = 6;
const nearShare = 0.9;

const Overview = () => (role.value === 'root' ? <HostOverview /> : <ResellerOverview />);

function HostOverview() {
  const status = useAnswer<StatusResponse>('v1/status', {}, statusSeconds);
  return (
    <>
      <Answered asked={status}>{(answer) => <StateSentence status={answer} />}</Answered>
      <Numbers />
      {status.value !== undefined && <Attention status={status.value} />}
      <CommandLine command="bulkhead status" />
    </>
  );
}

const ResellerOverview = () => (
  <>
    <Numbers />
    <CommandLine command="bulkhead top" />
  </>
);

function Numbers() {
  const incidents = useIncidentSummary();
  const { overview } = words.value;
  const tenants = members.value.filter(({ who: each }) => each.kind === 'tenant');
  const atLimit = tenants.filter(({ limitsHit }) => limitsHit.length > 0).sort(bySeverity);
  return (
    <>
      <Tiles>
        <UseTiles tenants={tenants} />
        <AtLimitTile tenants={tenants} atLimit={atLimit} />
        <IncidentsTile asked={incidents} />
      </Tiles>
      <div class="panels">
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
      </div>
    </>
  );
}

const bySeverity = (a: LiveMember, b: LiveMember) =>
  b.limitsHit.length - a.limitsHit.length || highestShare(b) - highestShare(a);

/** CPU and memory of all tenants beside what there is, and how often it was promised. A reseller's own limits are there for it. */
function UseTiles({ tenants }: { readonly tenants: readonly LiveMember[] }) {
  const { overview, cores, of } = words.value;
  const own = members.value.find(({ who: each }) => each.kind === 'reseller');
  const isHost = role.value === 'root';
  const host = frame.value?.host ?? who.value?.host;
  const sum = (metric: 'cpu' | 'anonymous') =>
    own !== undefined && !isHost
      ? own.usage(metric)
      : tenants.reduce((total, each) => total + each.usage(metric), 0);
  const bounds = isHost
    ? { cpu: host?.cores, memory: host?.memoryBytes }
    : { cpu: own?.who.limits['cpu.limit'], memory: own?.who.limits['memory.limit'] };
  const cpu = cores(sum('cpu'));
  const memory = numbers.value.bytes(sum('anonymous'));
  return (
    <>
      <Tile
        title={isHost ? overview.cpu : overview.ownCpu}
        value={
          bounds.cpu === undefined
            ? cpu
            : of(numbers.value.number(sum('cpu'), 1), cores(bounds.cpu))
        }
        note={<Promised tenants={tenants} limit="cpu.limit" available={bounds.cpu} />}
      />
      <Tile
        title={isHost ? overview.memory : overview.ownMemory}
        value={
          bounds.memory === undefined ? memory : of(memory, numbers.value.bytes(bounds.memory))
        }
        note={<Promised tenants={tenants} limit="memory.limit" available={bounds.memory} />}
      />
    </>
  );
}

interface PromisedProps {
  readonly tenants: readonly LiveMember[];
  readonly limit: 'cpu.limit' | 'memory.limit';
  readonly available: number | undefined;
}

function Promised({ tenants, limit, available }: PromisedProps) {
  const limits = tenants.map(({ who: each }) => each.limits[limit]);
  const known = limits.filter((each) => each !== undefined);
  if (available === undefined || available <= 0 || known.length === 0) return null;
  const sum = known.reduce((total, each) => total + each, 0);
  return <>{words.value.overview.promised(sum / available, limits.length - known.length)}</>;
}

interface AtLimitTileProps {
  readonly tenants: readonly LiveMember[];
  readonly atLimit: readonly LiveMember[];
}

function AtLimitTile({ tenants, atLimit }: AtLimitTileProps) {
  const { overview } = words.value;
  const near = tenants.filter(
    (each) => each.limitsHit.length === 0 && highestShare(each) >= nearShare,
  );
  return (
    <Tile
      title={overview.atLimit}
      href={href(['tenants'], { filter: 'limit' })}
      value={words.value.tenants(atLimit.length)}
      note={overview.nearLimit(near.length)}
    />
  );
}

function IncidentsTile({ asked }: { readonly asked: ReturnType<typeof useIncidentSummary> }) {
  const { overview } = words.value;
  return (
    <Tile
      title={overview.incidents}
      href={href(['incidents'])}
      value={<IncidentCounts asked={asked} />}
      note={<Latest incident={asked.value?.latest} />}
    />
  );
}

function IncidentCounts({ asked: { value } }: { readonly asked: Asked<Counts> }) {
  const { overview } = words.value;
  if (value === undefined) return <>…</>;
  const parts = [
    value.ended > 0 && (
      <span class="badge" data-kind="killed">
        {overview.ended(value.ended)}
      </span>
    ),
    value.refused > 0 && (
      <span class="badge" data-kind="refused">
        {overview.refused(value.refused)}
      </span>
    ),
    value.slowed > 0 && (
      <span class="badge" data-kind="throttled">
        {overview.slowed(value.slowed)}
      </span>
    ),
  ].filter((each) => each !== false);
  return parts.length === 0 ? <>{overview.noIncidents}</> : <span class="counts">{parts}</span>;
}

interface Counts {
  readonly ended: number;
  readonly refused: number;
  readonly slowed: number;
}

function Latest({ incident }: { readonly incident: IncidentRow | undefined }) {
  if (incident === undefined) return null;
  const { end, limit } = incident;
  const time = numbers.value.time(end, Date.now());
  return <>{words.value.overview.latest(incident.who.name, limitWords(limit), time)}</>;
}

function AtLimitRow({ member }: { readonly member: LiveMember }) {
  const { who: each, limitsHit, course } = member;
  return (
    <li class="at-limit-row">
      <a class="name" href={href(['tenants', each.name])}>
        {each.name}
      </a>
      <span class="at-limit">{numbers.value.list(limitsHit.map(limitWords))}</span>
      <span class="quiet">
        {words.value.limits['cpu.limit']} {metricText('cpu', member.usage('cpu'))}
      </span>
      <Course values={course} top={each.limits['cpu.limit']} />
    </li>
  );
}

function IncidentItem({ incident }: { readonly incident: IncidentRow }) {
  const { id, severity, limit, value, end } = incident;
  return (
    <li class="incident-row">
      <SeverityBadge severity={severity} />
      <a class="name" href={href(['incidents', String(id)])}>
        {incident.who.name}
      </a>
      <span>
        {limitWords(limit)} <span class="quiet">{value}</span>
      </span>
      <span class="quiet">{numbers.value.time(end, Date.now())}</span>
    </li>
  );
}

export const overviewPage: Page = {
  path: '/',
  roles: ['root', 'reseller'],
  icon: 'overview',
  title: ({ shell }) => shell.pages.overview,
  view: Overview,
};
