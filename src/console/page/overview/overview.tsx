/** Overview: whether everything is enforced, and who is at a limit; in words before any number. */
import type { VNode } from 'preact';
import type { IncidentRow } from '../../../agent/api/api.ts';
import type { OverviewResponse } from '../../../agent/api/report-api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { Course } from '../parts/course.tsx';
import { Answered } from '../parts/notes.tsx';
import { Tile, Tiles } from '../parts/tile.tsx';
import { useAnswer, type Asked } from '../state/answer.ts';
import { useIncidentSummary, type IncidentSummary } from '../state/incidents.ts';
import { limitWords, numbers } from '../state/language.ts';
import { members, role, who, type LiveMember } from '../state/live.ts';
import { highestShare } from '../state/measures.ts';
import { href } from '../state/route.ts';
import { frame } from '../state/stream.ts';
import { Attention, StateSentence } from './attention.tsx';
import { AtLimitPanel, LastChanges, WorstPanel } from './lists.tsx';
import { words } from './words.ts';

const statusSeconds = 30;
const overviewSeconds = 60;
const namesMax = 5;

export const Overview = () => (role.value === 'root' ? <HostOverview /> : <ResellerOverview />);

function HostOverview() {
  const status = useAnswer<StatusResponse>('v1/status', {}, statusSeconds);
  const asked = useAnswer<OverviewResponse>('v1/overview', {}, overviewSeconds);
  const { value, ...about } = asked;
  const incidents = value === undefined ? about : { ...about, value: summaryOfHost(value) };
  return (
    <>
      <Answered asked={status}>
        {(answer) => <StateSentence status={answer} overview={value} />}
      </Answered>
      <Numbers incidents={incidents} course={value?.course} />
      {status.value !== undefined && <Attention status={status.value} overview={value} />}
      {value?.changes !== undefined && <LastChanges changes={value.changes} />}
      <CommandLine command="bulkhead status" />
    </>
  );
}

function summaryOfHost({ incidents, worst, incidentCounts }: OverviewResponse): IncidentSummary {
  const latest = [...worst].sort((a, b) => b.end - a.end)[0];
  return {
    ended: incidents.killed,
    refused: incidents.refused,
    slowed: incidents.throttled,
    worst,
    course: incidentCounts,
    latest,
  };
}

function ResellerOverview() {
  const incidents = useIncidentSummary();
  return (
    <>
      <Numbers incidents={incidents} />
      <CommandLine command="bulkhead top" />
    </>
  );
}

interface NumbersProps {
  readonly incidents: Asked<IncidentSummary>;
  readonly course?: OverviewResponse['course'];
}

function Numbers({ incidents, course }: NumbersProps) {
  const tenants = members.value.filter(({ who: each }) => each.kind === 'tenant');
  const atLimit = tenants.filter(({ limitsHit }) => limitsHit.length > 0).sort(bySeverity);
  return (
    <>
      <Tiles>
        <UseTiles tenants={tenants} course={course} />
        <AtLimitTile tenants={tenants} atLimit={atLimit} />
        <IncidentsTile asked={incidents} />
      </Tiles>
      <div class="panels">
        <AtLimitPanel atLimit={atLimit} />
        <WorstPanel incidents={incidents} />
      </div>
    </>
  );
}

const bySeverity = (a: LiveMember, b: LiveMember) =>
  b.limitsHit.length - a.limitsHit.length || highestShare(b) - highestShare(a);

interface UseTilesProps {
  readonly tenants: readonly LiveMember[];
  readonly course: OverviewResponse['course'];
}

interface Use {
  readonly cpu: number;
  readonly memory: number;
}

/** Returns what all tenants use; of a reseller the sum that its own limits are on. */
function useOf(tenants: readonly LiveMember[], own: LiveMember | undefined): Use {
  const all = own === undefined ? tenants : [own];
  const sum = (metric: 'cpu' | 'anonymous') =>
    all.reduce((total, each) => total + each.usage(metric), 0);
  return { cpu: sum('cpu'), memory: sum('anonymous') };
}

/** Returns what there is: the host, or a reseller's own limits. */
function boundsOf(own: LiveMember | undefined): Partial<Use> {
  const host = frame.value?.host ?? who.value?.host;
  const [cpu, memory] =
    own === undefined
      ? [host?.cores, host?.memoryBytes]
      : [own.who.limits['cpu.limit'], own.who.limits['memory.limit']];
  return { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
}

/** CPU and memory of all tenants next to what there is, and how often it was promised. */
function UseTiles({ tenants, course }: UseTilesProps) {
  const { overview, cores, ofLimit } = words.value;
  const { bytes } = numbers.value;
  const isHost = role.value === 'root';
  const own = isHost ? undefined : members.value.find(({ who: each }) => each.kind === 'reseller');
  const use = useOf(tenants, own);
  const bounds = boundsOf(own);
  return (
    <>
      <Tile
        title={isHost ? overview.cpu : overview.ownCpu}
        value={cores(use.cpu)}
        limit={bounds.cpu !== undefined && ofLimit(cores(bounds.cpu))}
        note={<Promised tenants={tenants} limit="cpu.limit" available={bounds.cpu} />}
      >
        <DayCourse values={course?.metrics.cpu?.average} top={bounds.cpu} />
      </Tile>
      <Tile
        title={isHost ? overview.memory : overview.ownMemory}
        value={bytes(use.memory)}
        limit={bounds.memory !== undefined && ofLimit(bytes(bounds.memory))}
        note={<Promised tenants={tenants} limit="memory.limit" available={bounds.memory} />}
      >
        <DayCourse values={course?.metrics.anonymous?.average} top={bounds.memory} />
      </Tile>
    </>
  );
}

interface DayCourseProps {
  readonly values: readonly (number | null)[] | undefined;
  readonly top?: number | undefined;
}

/** The course of the last 24 hours. */
const DayCourse = ({ values, top }: DayCourseProps) =>
  values === undefined || values.length < 2 ? null : (
    <Course values={values} length={values.length} top={top} />
  );

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
  return (
    <span class="wraps">
      {words.value.overview.promised(sum / available, limits.length - known.length)}
    </span>
  );
}

interface AtLimitTileProps {
  readonly tenants: readonly LiveMember[];
  readonly atLimit: readonly LiveMember[];
}

function AtLimitTile({ tenants, atLimit }: AtLimitTileProps) {
  const { overview } = words.value;
  const near = tenants.filter(
    ({ limitsHit, limitsNear }) => limitsHit.length === 0 && limitsNear.length > 0,
  );
  return (
    <Tile
      title={overview.atLimit}
      href={href(['tenants'], { filter: 'limit' })}
      value={words.value.tenants(atLimit.length)}
      limit={atLimit
        .slice(0, namesMax)
        .map(({ who: each }) => each.name)
        .join(', ')}
      note={overview.nearLimit(near.length)}
    />
  );
}

function IncidentsTile({ asked }: { readonly asked: Asked<IncidentSummary> }) {
  const { overview } = words.value;
  const [worst, ...others] = asked.value === undefined ? [] : countsOf(asked.value);
  return (
    <Tile
      title={overview.incidents}
      href={href(['incidents'])}
      value={worst ?? (asked.value === undefined ? '…' : overview.noIncidents)}
      limit={<span class="line">{others}</span>}
      note={<Latest incident={asked.value?.latest} />}
    >
      <DayCourse values={asked.value?.course} />
    </Tile>
  );
}

/** Returns the counts that are not zero, the worst first. */
function countsOf({ ended, refused, slowed }: IncidentSummary): readonly VNode[] {
  const { overview } = words.value;
  const rows = [
    ['killed', ended, overview.ended(ended)],
    ['refused', refused, overview.refused(refused)],
    ['throttled', slowed, overview.slowed(slowed)],
  ] as const;
  return rows
    .filter(([, count]) => count > 0)
    .map(([kind, , text]) => (
      <span class="badge" data-kind={kind} key={kind}>
        {text}{' '}
      </span>
    ));
}

function Latest({ incident }: { readonly incident: IncidentRow | undefined }) {
  if (incident === undefined) return null;
  const { end, limit } = incident;
  const time = numbers.value.time(end, Date.now());
  return <>{words.value.overview.latest(incident.who.name, limitWords(limit), time)}</>;
}
