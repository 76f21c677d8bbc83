/** The history that came with a tenant from other hosts, as `usage`, `faults` and `chart` show it: always with its origin. */
import type {
  MovedOrigin,
  MovedResponse,
  MovedSeries,
} from '../../../agent/history/history-api.ts';
import type { Query } from '../../../agent/api/client.ts';
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { metricWords } from '../../../usage/chart/metric-words.ts';
import type { ChartPanel } from '../../../usage/chart/panel.ts';
import { metrics, sampledKeys } from '../../../usage/metrics.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import { ownUid, responseOrReport, type AgentRequest } from '../../shared/agent-request.ts';
import { countsText, dateTime, duration, quantity, sumOfCounts } from '../../shared/format.ts';
import { table, terminalOf } from '../../shared/terminal.ts';

/** Returns what came with the one tenant that is asked for, and nothing for several; undefined after a failure. */
export async function askMoved(
  ask: AgentRequest,
  names: readonly string[],
  query: Query,
): Promise<readonly MovedOrigin[] | undefined> {
  const [tenant = ownUid()] = names;
  if (tenant === undefined || names.length > 1) return [];
  const answer = responseOrReport(await ask<MovedResponse>('/v1/moved', { ...query, tenant }));
  return answer?.records.map(withoutSeries);
}

/** Returns the field of JSON: null if nobody knows, absent if nothing came. */
export const movedJson = (
  moved: readonly MovedOrigin[] | undefined,
): { readonly moved?: readonly MovedOrigin[] | null } => {
  if (moved === undefined) return { moved: null };
  return moved.length > 0 ? { moved } : {};
};

export const exitOf = (moved: readonly MovedOrigin[] | undefined): ExitCode =>
  moved === undefined ? exitCodes.failed : exitCodes.done;

function withoutSeries(record: MovedSeries): MovedOrigin {
  const { seconds: _, series: _1, ...origin } = record;
  return origin;
}

/** `From web-017, where it was alice with uid 1001, exported 30 Nov 12:00` */
export const movedHeading = ({ host, via, name, uid, until }: MovedOrigin): string => {
  const told = via === undefined ? '' : `, as ${via} tells`;
  return printable(
    `From ${host}${told}, where it was ${name} with uid ${uid}, exported ${dateTime(until)}`,
  );
};

export function movedUsage(origin: MovedOrigin): string {
  const { measuredSeconds, metrics: measured, faults } = origin;
  if (measuredSeconds === 0)
    return `${movedHeading(origin)}: nothing was measured there in this period`;
  const { colors } = terminalOf(process.stdout);
  const rows = sampledKeys.flatMap((key) => {
    const of = measured[key];
    const { unit } = metrics[key];
    return of === undefined
      ? []
      : [[metricWords[key].title, quantity(unit, of.average), quantity(unit, of.max)]];
  });
  const sum = sumOfCounts(faults);
  return [
    `${movedHeading(origin)}; ${duration(measuredSeconds)} of this period measured there`,
    table([['METRIC', 'AVERAGE', 'MAX'].map(colors.dim), ...rows], [1, 2]),
    sum === 0
      ? 'no faults there'
      : `${count(sum, 'fault')} there: ${printable(countsText(faults))}`,
  ].join('\n');
}

/** Fills parts of a chart in which this host has measured nothing. */
export function withMoved(panel: ChartPanel, records: readonly MovedSeries[]): ChartPanel {
  let { averages, maxima } = panel;
  for (const { series } of records) {
    const column = series[panel.metric];
    if (column === undefined) continue;
    const own = averages;
    averages = own.map((each, part) => each ?? column.averages[part] ?? null);
    maxima = maxima.map((each, part) =>
      own[part] === null ? (column.maxima[part] ?? null) : each,
    );
  }
  return { ...panel, averages, maxima };
}

/** Returns the sentence that says what of a chart is from another host, or why that is not shown. */
export function movedNote({
  host,
  seconds,
  until,
  measuredSeconds,
}: MovedSeries): readonly string[] {
  if (measuredSeconds === 0) return [];
  const shown = printable(host);
  return [
    seconds.some((each) => each > 0)
      ? `Where this host has measured nothing, until ${dateTime(until)}: from ${shown}, without its incidents.`
      : `The hours from ${shown} are not shown: choose a longer period.`,
  ];
}
