/**
 * `GET /v1/series`: usage in equal parts of a period.
 *
 *     ?metric=cpu                      one metric: a `SeriesResponse`
 *     ?metric=cpu&metric=memory        several: a `SeriesColumnsResponse`, from one question to the history
 *     ?tenant=*                        the sum of all tenants for administrators, of its own for a reseller
 */
import type { ColumnsQuery } from '../../store/history/history-query.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import { metricKeys, metrics, peakKeys, type MetricKey } from '../../usage/metrics.ts';
import type { SeriesResponse } from '../api/usage-api.ts';
import { isAdministrator, maySee } from '../api/caller.ts';
import type { SeriesColumn, SeriesColumnsResponse } from '../api/report-api.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { ok } from '../../../packages/base/result.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import { namedEntry, visibleFrom } from './members.ts';
import { askedMetrics } from './usage.ts';

export const pointsMax = 1000;
const everybody = '*';

export async function answerSeries(
  request: RequestContext,
): Promise<HttpResult<SeriesResponse | SeriesColumnsResponse>> {
  const { query } = request;
  const names = query.names('metric');
  if (!names.ok) return names;
  const isColumns =
    names.value.length > 1 || query.flag('columns') || query.text('tenant') === everybody;
  return isColumns ? answerColumns(request) : answerOne(request);
}

async function answerColumns(request: RequestContext): Promise<HttpResult<SeriesColumnsResponse>> {
  const asked = askedMetrics(request);
  if (!asked.ok) return asked;
  const subject = request.query.text('tenant') === everybody ? sumOf(request) : askedEntry(request);
  if (!subject.ok) return subject;
  const parts = askedParts(request);
  return parts.ok ? columnsFor(request, subject.value, asked.value, parts.value) : parts;
}

/** Returns metrics of a member, or of all tenants together, as far back as the caller may see them. */
export async function columnsFor(
  request: RequestContext,
  entry: MemberEntry | 'tenants',
  asked: readonly MetricKey[],
  { from, to, points }: SeriesParts,
  // Peaks of different members were at different moments.
  withPeaks = entry !== 'tenants',
): Promise<HttpResult<SeriesColumnsResponse>> {
  const isSum = entry === 'tenants';
  const visible = isSum ? from : visibleFrom(request, entry, from);
  const hidden = hiddenPoints(visible, { from, to, points });
  const seen = {
    from: from + ((to - from) / points) * hidden,
    to,
    points: points - hidden,
    of: isSum ? ('tenants' as const) : entry.who.member,
  };
  const found = await columnsWithPeaks(request, { ...seen, metrics: asked }, withPeaks);
  if (!found.ok) return found;
  const unseen = Array<null>(hidden).fill(null);
  const columns = asked.map((metric) => {
    const { average = [], max = [] } = found.value.metrics.get(metric) ?? {};
    const key = metrics[metric].limit;
    const limitNow = key === undefined || isSum ? undefined : entry.limits[key];
    const column = { average: [...unseen, ...average], max: [...unseen, ...max] };
    return [metric, { ...column, ...(limitNow !== undefined && { limitNow }) }] as const;
  });
  const series = {
    ...(!isSum && { who: entry.who }),
    from,
    to,
    seconds: [...unseen.map(() => 0), ...found.value.seconds],
    metrics: Object.fromEntries(columns),
  };
  if (isSum) return ok(series);
  const begins = request.agent.membership.beginningOf(entry.who.member);
  return ok(sinceIts(Math.max(begins, visible), series));
}

/**
 * Says since when a series is the member's own, if it begins after `from`. The history counts idle time as zero, so the
 * parts before look like a member that does nothing: they are blank, unless a former owner used something then.
 */
function sinceIts(since: number, series: SeriesColumnsResponse): SeriesColumnsResponse {
  const { from, to, seconds, metrics: columns } = series;
  if (since <= from || !Number.isFinite(since)) return series;
  const share = Math.min(1, (since - from) / (to - from));
  const before = Math.floor(share * seconds.length);
  const ofParts = Object.values(columns).map(({ average }) => average.slice(0, before));
  if (ofParts.some((parts) => parts.some((each) => each !== null && each > 0))) return series;
  const blank = <Value>(values: readonly Value[], nothing: Value) =>
    values.map((each, part) => (part < before ? nothing : each));
  const blanked = Object.entries(columns).map(([key, column]) => {
    const [average, max] = [blank(column.average, null), blank(column.max, null)];
    return [key, { ...column, average, max }] as const;
  });
  return {
    ...series,
    since,
    seconds: blank(seconds, 0),
    metrics: Object.fromEntries(blanked),
  };
}

interface FoundColumns {
  readonly seconds: readonly number[];
  readonly metrics: ReadonlyMap<MetricKey, Pick<SeriesColumn, 'average' | 'max'>>;
}

/** Asks the history once. The maxima of a member's metrics are raised to the kernel's high-water marks. */
async function columnsWithPeaks(
  { history }: RequestContext,
  query: ColumnsQuery,
  withPeaks: boolean,
): Promise<HttpResult<FoundColumns>> {
  if (query.points === 0) return ok({ seconds: [], metrics: new Map() });
  const peakOf = (metric: MetricKey) => (withPeaks ? peakKeys.get(metric) : undefined);
  const all = [...new Set(query.metrics.flatMap((each) => [each, peakOf(each) ?? each]))];
  const found = fromStore(await history.columns({ ...query, metrics: all }));
  if (!found.ok) return found;
  const { seconds, metrics: read } = found.value;
  const columns = query.metrics.map((metric) => {
    const { averages = [], maxima = [] } = read.get(metric) ?? {};
    const peaks = read.get(peakOf(metric) ?? metric)?.maxima ?? [];
    const max = maxima.map((each, part) => higher(each, peaks[part]));
    return [metric, { average: averages, max }] as const;
  });
  return ok({ seconds, metrics: new Map(columns) });
}

/** A maximum is unknown if either is. */
const higher = (max: number | null, peak: number | null | undefined) =>
  max === null || peak === null || peak === undefined ? null : Math.max(max, peak);

async function answerOne(request: RequestContext): Promise<HttpResult<SeriesResponse>> {
  const entry = askedEntry(request);
  if (!entry.ok) return entry;
  const metric = request.query.choice('metric', metricKeys);
  if (!metric.ok) return metric;
  const key = metric.value ?? 'cpu';
  const withMaxima = request.query.flag('maxima');
  const parts = askedParts(request);
  if (!parts.ok) return parts;
  const found = await columnsFor(request, entry.value, [key], parts.value, withMaxima);
  if (!found.ok) return found;
  const { from, to, seconds, metrics: columns } = found.value;
  const { average = [], max = [], limitNow: limit } = columns[key] ?? {};
  return ok({
    who: entry.value.who,
    metric: key,
    from,
    to,
    points: average,
    ...(withMaxima && { maxima: max, seconds }),
    ...(limit !== undefined && { limit }),
  });
}

const askedEntry = (request: RequestContext) =>
  namedEntry(request, request.query.text('tenant') ?? '');

/** Returns what the caller may see together: all tenants, the sum of its own, or itself. */
function sumOf({ agent, caller }: RequestContext): HttpResult<MemberEntry | 'tenants'> {
  if (caller.kind === 'token' || isAdministrator(caller)) return ok('tenants');
  const { entries } = agent.memberIndex;
  const own = [resellerMember(caller.uid), tenantMember(caller.uid)]
    .map((member) => entries.get(member))
    .find((entry) => entry !== undefined && maySee(caller, entry));
  if (own !== undefined) return ok(own);
  const reason = 'you are not a tenant of this host';
  return httpError({ status: 403, action: 'show the sum of tenants', reason });
}

export interface SeriesParts {
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

function askedParts({ query }: RequestContext): HttpResult<SeriesParts> {
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const points = query.whole('points', 60, pointsMax);
  if (!points.ok) return points;
  return ok({ ...period.value, points: Math.max(1, points.value) });
}

/** Returns the number of parts, from the first, that begin before `visible`. */
function hiddenPoints(visible: number, { from, to, points }: SeriesParts): number {
  return Math.min(points, Math.max(0, Math.ceil(((visible - from) / (to - from)) * points)));
}
