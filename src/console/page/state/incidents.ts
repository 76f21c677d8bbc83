/** Incidents of a period, by how bad they are. */
import type { IncidentRow, IncidentsResponse } from '../../../agent/api/api.ts';
import { useAnswer, type Asked } from './answer.ts';
import type { Query } from './request.ts';

export const severityRanks = { observed: 0, throttled: 1, refused: 2, killed: 3 } as const;

/** Whether it is about a rule, which has no value: a jail, for example. */
export const isRule = ({ limit }: Pick<IncidentRow, 'limit'>): boolean =>
  /^(jail|symlinks|reach|listen)/.test(limit);

/** A rule never slows anything down: then it only watched. */
export const shownSeverity = (row: IncidentRow): IncidentRow['severity'] =>
  row.severity === 'throttled' && isRule(row) ? 'observed' : row.severity;

export interface IncidentSummary {
  readonly ended: number;
  readonly refused: number;
  readonly slowed: number;
  /** The worst first, and of those the latest. */
  readonly worst: readonly IncidentRow[];
  readonly latest: IncidentRow | undefined;
  /** How many began in each of equal parts of the day. */
  readonly course?: readonly number[];
}

const shown = 6;
const refreshSeconds = 60;

/** Asks for the incidents of the last 24 hours; the filter gives a severity and all that is worse. */
export function useIncidentSummary(): Asked<IncidentSummary> {
  const ended = useIncidents({ severity: 'killed', count: shown }, refreshSeconds);
  const refused = useIncidents({ severity: 'refused', count: shown }, refreshSeconds);
  const all = { severity: 'throttled', enforced: 1, count: shown };
  const slowed = useIncidents(all, refreshSeconds);
  const again = () => [ended, refused, slowed].forEach((each) => each.again());
  const failure = ended.failure ?? refused.failure ?? slowed.failure;
  const isLoading = ended.isLoading || refused.isLoading || slowed.isLoading;
  const about = { isLoading, again, ...(failure !== undefined && { failure }) };
  if (ended.value === undefined || refused.value === undefined || slowed.value === undefined)
    return about;
  const value = summaryOf(ended.value, refused.value, slowed.value);
  return { ...about, value };
}

export const useIncidents = (query: Query, everySeconds?: number): Asked<IncidentsResponse> =>
  useAnswer<IncidentsResponse>('v1/incidents', query, everySeconds);

/** Each of the three has what the one before it has, and more. */
function summaryOf(
  ended: IncidentsResponse,
  refused: IncidentsResponse,
  slowed: IncidentsResponse,
): IncidentSummary {
  const rows = [ended, refused, slowed].flatMap(({ incidents }) => incidents);
  const worst = [...new Map(rows.map((row) => [row.id, row])).values()]
    .sort((a, b) => severityRanks[b.severity] - severityRanks[a.severity] || b.end - a.end)
    .slice(0, shown);
  const [latest] = slowed.incidents;
  return {
    ended: ended.total,
    refused: Math.max(0, refused.total - ended.total),
    slowed: Math.max(0, slowed.total - refused.total),
    worst,
    latest,
  };
}
