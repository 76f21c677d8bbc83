/** `bulkhead fleet faults`: the incidents of all hosts, from what they have told their centre. */
import { Option } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { severities, type LimitKey, type Severity } from '../../../limits/limit.ts';
import { usageError } from '../../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { dateTime, duration, shortCount, shortLimit } from '../../../cli/shared/format.ts';
import { limitOption } from '../../../cli/shared/limit-option.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import {
  parsePeriod,
  withPeriodOptions,
  type Period,
  type PeriodOptions,
} from '../../../cli/shared/period.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { rowsOption } from '../../../cli/shared/whole.ts';
import {
  incidentsOf,
  isMeant,
  unknownOf,
  type FleetIncident,
} from '../../core/told/fleet-incidents.ts';
import { type DirectoryOptions, withCentreOptions } from '../shared-options.ts';
import {
  namedHosts,
  unknownText,
  withKnownHosts,
  type KnownHosts,
} from '../servers/known-hosts.ts';
import { hostsOption } from './hosts-option.ts';
import type { FleetFaultsJson } from './json.ts';

interface FaultsOptions extends DirectoryOptions, PeriodOptions {
  readonly host: readonly string[];
  readonly limit?: LimitKey;
  readonly severity?: Severity;
  readonly count: number;
}

/** Events that are read at once: some 400 MB of memory. */
const eventsMax = 500_000;

function faults(tenants: readonly string[], options: FaultsOptions): Promise<ExitCode> {
  const period = parsePeriod(options, Date.now());
  if (!period.ok) return Promise.resolve(usageError(period.error));
  return withKnownHosts(options.directory, (known) => {
    const hosts = namedHosts(known.hosts, options.host);
    if (hosts === undefined) return exitCodes.failed;
    const read = readIncidents(known, options.host, period.value);
    if (!read.ok) return failWith(read.error);
    const { incidents, isWhole } = read.value;
    const { limit, severity, count } = options;
    const found = incidents.filter(
      (each) =>
        (tenants.length === 0 || tenants.some((text) => isMeant(each, text))) &&
        (limit === undefined || each.limit === limit) &&
        (severity === undefined || each.severity === severity),
    );
    const shown: FleetFaultsJson = {
      ...period.value,
      incidents: found.slice(0, count),
      total: isWhole ? found.length : null,
      unknown: unknownOf(hosts),
    };
    if (options.json === true) printJson(shown);
    else print(textOf(shown));
    return exitCodes.done;
  });
}

/** Reads the incidents of a period, the newest first; `isWhole`: all of them. */
function readIncidents({ store, told }: KnownHosts, hosts: readonly string[], period: Period) {
  const events = store.events({
    since: period.from,
    ...(hosts.length > 0 && { hosts }),
    max: eventsMax,
  });
  if (!events.ok) return events;
  const isIn = ({ begin, end }: FleetIncident) => end > period.from && begin < period.to;
  const incidents = incidentsOf(events.value, lastEpochsOf(told))
    .map(({ incident }) => incident)
    .filter(isIn)
    .sort((one, other) => other.begin - one.begin);
  const isWhole = events.value.length < eventsMax;
  return { ok: true, value: { incidents, isWhole } } as const;
}

export const lastEpochsOf = (told: KnownHosts['told']): ReadonlyMap<string, string> =>
  new Map(told.flatMap(({ host, mark }) => (mark === undefined ? [] : [[host, mark.epoch]])));

function textOf({ from, to, incidents, total, unknown }: FleetFaultsJson): string {
  const missing = unknownText(unknown);
  const note = missing === '' ? [] : [`Not known: ${printable(missing)}`];
  if (incidents.length === 0)
    return [`No limit was hit from ${dateTime(from)} to ${dateTime(to)}`, ...note].join('\n');
  const more = total === null ? undefined : total - incidents.length;
  return [
    incidentTable(incidents),
    ...(more === undefined ? ['… and more, which were not counted; --period shows fewer'] : []),
    ...(more !== undefined && more > 0 ? [`… and ${more} more; -n shows them`] : []),
    ...note,
  ].join('\n');
}

export function incidentTable(incidents: readonly FleetIncident[]): string {
  const { colors } = terminalOf(process.stdout);
  const header = ['ID', 'WHEN', 'LASTED', 'HOST', 'WHO', 'LIMIT', 'SEVERITY', 'FAULTS'];
  return table([header.map(colors.dim), ...incidents.map(incidentCells)], [2, 7]);
}

const incidentCells = (incident: FleetIncident): readonly string[] => [
  incident.id,
  dateTime(incident.begin),
  duration((incident.end - incident.begin) / 1000),
  incident.host,
  printable(whoText(incident)),
  printable(shortLimit(incident.limit as LimitKey)),
  printable(incident.severity),
  shortCount(incident.faults),
];

export function whoText({ member, name }: FleetIncident): string {
  if (name === null) return member;
  return member.startsWith('r') ? `${name} (all)` : name;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'names or uids of tenants; all if none is given').default([]);
    withCentreOptions(withPeriodOptions(command, '24h'))
      .addOption(hostsOption())
      .addOption(limitOption(command))
      .addOption(
        new Option('--severity <severity>', 'only incidents of this severity').choices(severities),
      )
      .addOption(rowsOption(50))
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet faults', 'of all hosts, in the last 24 hours'],
          ['bulkhead fleet faults alice --limit memory', 'of every host that has an alice'],
          ['bulkhead fleet faults --host web-017 --severity killed', ''],
        ),
      )
      .action(run(faults));
  },
};
