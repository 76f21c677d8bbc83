/**
 * `GET /v1/overview`: the host at a glance, from one request: whether the policy is in force, who is at a limit, what the
 * tenants use together and were promised, the incidents of a period, and the latest changes. Only administrators get it.
 */
import { availableParallelism, totalmem } from 'node:os';
import { ok } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { describeChange } from '../../policy/changes/describe.ts';
import { readReport } from '../../host/kept-reports.ts';
import { committedOf } from '../../usage/simulate.ts';
import { isAdministrator } from '../api/caller.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type {
  Committed,
  DriftReport,
  OverviewResponse,
  PolicyChangeRow,
  WeakLimit,
} from '../api/report-api.ts';
import type { AgentContext, RequestContext } from '../api/request-context.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { withWho } from './incidents.ts';
import { columnsFor, type SeriesParts } from './series.ts';

const day = 86_400_000;
const minute = 60_000;
const coursePoints = 96;
const countedParts = 24;
const worstMax = 5;
const changesMax = 5;
const summaryMax = 3;

type Course = NonNullable<OverviewResponse['course']>;

export async function answerOverview(
  request: RequestContext,
): Promise<HttpResult<OverviewResponse>> {
  const { agent, caller, query } = request;
  if (!isAdministrator(caller)) {
    const reason = 'only root may see the whole host';
    return httpError({ status: 403, action: 'show the overview', reason });
  }
  // By whole minutes, so that several pages ask the history for the same.
  const period = query.period(Math.floor(Date.now() / minute) * minute, day);
  if (!period.ok) return period;
  const course = await courseOf(request, { ...period.value, points: coursePoints });
  const asked = {
    ...period.value,
    parts: countedParts,
    worst: worstMax,
    rules: agent.kinds.keysWithoutLimit(),
  };
  const summary = fromStore(agent.events.incidentSummary(asked));
  if (!summary.ok) return summary;
  const { bySeverity, beginnings, worst } = summary.value;
  const status = agent.status();
  const tenants = [...agent.memberIndex.entries.values()].filter(
    ({ who }) => who.kind === 'tenant',
  );
  return ok({
    ...period.value,
    policy: status.policy,
    tenants: status.tenants,
    resellers: status.resellers,
    outside: status.placement.outside.length,
    isOutsideUnknown: status.placement.unknown.length > 0,
    ...(course !== undefined && { course }),
    committed: {
      cpu: committed(tenants, 'cpu.limit', availableParallelism()),
      memory: committed(tenants, 'memory.limit', totalmem()),
    },
    ...atLimits(agent, tenants),
    weak: weakLimits(agent, tenants),
    ...driftOf(agent),
    incidents: bySeverity,
    incidentCounts: beginnings,
    worst: worst.flatMap((id) => {
      const read = agent.events.incident(id);
      return read.ok && read.value ? [withWho(read.value.incident, agent.memberIndex)] : [];
    }),
    ...changesOf(agent),
  });
}

interface KeptCourse {
  readonly key: string;
  readonly course: Promise<Course | undefined>;
}

/** The last course: the history reads all tenants for it. Administrators all see the same. */
const courses = new WeakMap<AgentContext['latest'], KeptCourse>();

function courseOf(request: RequestContext, parts: SeriesParts): Promise<Course | undefined> {
  const { latest } = request.agent;
  const key = `${parts.from} ${parts.to}`;
  const kept = courses.get(latest);
  if (kept?.key === key) return kept.course;
  const course = readCourse(request, parts);
  courses.set(latest, { key, course });
  // The next request asks again.
  void course.then((found) => found === undefined && courses.delete(latest));
  return course;
}

async function readCourse(
  request: RequestContext,
  parts: SeriesParts,
): Promise<Course | undefined> {
  // Its own question: other requests wait for the course, too, if the client of this one leaves.
  const history = request.agent.history.askedBy('administrator');
  const metrics = ['cpu', 'anonymous'] as const;
  const found = await columnsFor({ ...request, history }, 'tenants', metrics, parts);
  return found.ok ? { seconds: found.value.seconds, metrics: found.value.metrics } : undefined;
}

function committed(tenants: readonly MemberEntry[], limit: LimitKey, available: number): Committed {
  const limits = tenants.map(({ given }) => given.numbers[limit]);
  return { ...committedOf(limits, available), available };
}

function atLimits({ latest }: AgentContext, tenants: readonly MemberEntry[]) {
  const hits = latest.limitsHitNow();
  const isHit = ({ who }: MemberEntry) => hits.has(who.member);
  const isNear = ({ who }: MemberEntry) => latest.limitsNear(who.member).length > 0;
  return {
    atLimit: tenants.filter(isHit).length,
    nearLimit: tenants.filter((each) => isNear(each) && !isHit(each)).length,
  };
}

/** Returns the limits that tenants have and that the driver does not enforce fully. */
function weakLimits(
  { driver }: AgentContext,
  entries: readonly MemberEntry[],
): readonly WeakLimit[] {
  const limits = [...(driver?.capabilities.limits ?? [])];
  return limits.flatMap(
    ([limit, { level, reason, weaknesses, help, helps }]): readonly WeakLimit[] => {
      const tenants = entries.filter(({ given }) => given.numbers[limit] !== undefined).length;
      if (level === 'full' || tenants === 0) return [];
      const why = {
        ...(reason !== undefined && { reason }),
        ...(weaknesses !== undefined && { weaknesses }),
        ...(help !== undefined && { help }),
        ...(helps !== undefined && { helps }),
      };
      return [{ limit, level, ...why, tenants }];
    },
  );
}

/** Returns the last `bulkhead verify`; nothing if it has not run, or its result cannot be read or is none. */
function driftOf({ state }: AgentContext): Pick<OverviewResponse, 'drift'> {
  const found = readReport(state, 'verify');
  if (!found.ok || found.value === undefined) return {};
  const { at, report } = found.value;
  const { differences, lines } = report as Partial<DriftReport>;
  if (typeof differences !== 'number' || !isTexts(lines)) return {};
  return { drift: { at, differences, lines } };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

/** Returns the latest changes; nothing if the record cannot be read now. */
function changesOf(agent: AgentContext): Pick<OverviewResponse, 'changes'> {
  const found = agent.latestChanges(changesMax);
  if (!found.ok) return {};
  const changes = found.value.map(
    ({ number, at, way, user, outcome, changed }): PolicyChangeRow => ({
      number,
      at,
      way,
      ...(user !== undefined && { user }),
      outcome,
      ...(changed !== undefined && { valueCount: changed.count }),
      summary: (changed?.values ?? []).slice(0, summaryMax).map(describeChange),
      values: (changed?.values ?? []).slice(0, summaryMax),
    }),
  );
  return { changes };
}
