/** `bulkhead fleet incident ID`: what the centre knows about an incident on one of its hosts. */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { dateTime, duration, shortLimit } from '../../../cli/shared/format.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { table } from '../../../cli/shared/terminal.ts';
import {
  incidentsOf,
  parseIncidentId,
  unknownOf,
  type FleetIncident,
  type GroupedIncident,
  type IncidentId,
} from '../../core/told/fleet-incidents.ts';
import { type DirectoryOptions, withCentreOptions } from '../shared-options.ts';
import { namedHosts, unknownText, withKnownHosts } from '../servers/known-hosts.ts';
import { incidentTable, lastEpochsOf, whoText } from './faults.ts';
import type { FleetIncidentJson } from './json.ts';

/** More than the centre keeps of one host. */
const eventsMax = 100_000;

function incident(text: string, { directory, json }: DirectoryOptions): Promise<ExitCode> {
  const action = 'show the incident';
  const id = parseIncidentId(text);
  if (id === undefined) {
    const hint = 'use one as "bulkhead fleet faults" lists it, such as web-017/41';
    failWith({ action, object: text, reason: 'that is not the id of an incident', hint });
    return Promise.resolve(exitCodes.usage);
  }
  return withKnownHosts(directory, ({ store, told, hosts }) => {
    const named = namedHosts(hosts, [id.host]);
    if (named === undefined) return exitCodes.failed;
    const events = store.events({ since: 0, hosts: [id.host], max: eventsMax });
    if (!events.ok) return failWith(events.error);
    const lastEpochs = lastEpochsOf(told);
    const all = incidentsOf(events.value, lastEpochs);
    const found = findIn(all, { epoch: lastEpochs.get(id.host) ?? '', ...id });
    if (found === undefined) {
      const reason = 'the centre does not have it, or no longer';
      return failWith({ action, object: text, reason });
    }
    const shown = { ...jsonOf(found, all), unknown: unknownOf(named) };
    if (json === true) printJson(shown satisfies FleetIncidentJson);
    else print(textOf(shown));
    return exitCodes.done;
  });
}

/** Any event of an incident names it: an earlier one may have come since it was listed. */
const findIn = (all: readonly GroupedIncident[], { epoch, number }: IncidentId) =>
  all.find(({ events }) => events.some((each) => each.epoch === epoch && each.number === number));

function jsonOf({ incident, events }: GroupedIncident, all: readonly GroupedIncident[]) {
  const { begin, end } = incident;
  const meanwhile = all
    .map((each) => each.incident)
    .filter((each) => each.id !== incident.id && each.end > begin && each.begin < end);
  const isSame = ({ member }: FleetIncident) => member === incident.member;
  const others = meanwhile.filter((each) => !isSame(each)).map(({ member }) => member);
  return {
    ...incident,
    minutes: [...events]
      .sort((one, other) => one.end - other.end)
      .map(({ at, severity, faults }) => ({ at, severity, faults })),
    alongside: meanwhile.filter(isSame),
    others: new Set(others).size,
  };
}

function textOf(shown: FleetIncidentJson): string {
  const missing = unknownText(shown.unknown);
  const minutes = shown.minutes.map(({ at, severity, faults }) => [
    dateTime(Date.parse(at)),
    printable(severity),
    String(faults),
  ]);
  return [
    factsOf(shown).join('\n'),
    table([['MINUTE UNTIL', 'SEVERITY', 'FAULTS'], ...minutes], [2]),
    ...(shown.alongside.length === 0
      ? []
      : [`At that time, the same tenant hit:\n${incidentTable(shown.alongside)}`]),
    ...(missing === '' ? [] : [`Not known: ${printable(missing)}`]),
    `Only ${shown.host} knows which processes ran then: "bulkhead faults" there lists the incident`,
  ].join('\n\n');
}

function factsOf(shown: FleetIncidentJson): readonly string[] {
  const { id, host, member, name, limit, severity, faults, begin, end, others } = shown;
  const who = name === null ? member : `${whoText(shown)}, ${member}`;
  const lasted = duration((end - begin) / 1000);
  const facts = [
    ['Incident', id],
    ['Host', host],
    ['Who', who],
    ['When', `${dateTime(begin)} to ${dateTime(end)}, ${lasted}`],
    ['Limit', shortLimit(limit as LimitKey)],
    ['Severity', `${severity}, ${count(faults, 'fault')}`],
    ['Others', others === 0 ? 'nobody else on this host had faults then' : othersText(others)],
  ];
  return facts.map(([word = '', text = '']) => `${word.padEnd(9)} ${printable(text)}`);
}

const othersText = (others: number) => `${count(others, 'other')} on this host had faults then`;

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'as "bulkhead fleet faults" lists it');
    withCentreOptions(command)
      .addHelpText(
        'after',
        examples(['bulkhead fleet incident web-017/41', 'as "bulkhead fleet faults" lists it']),
      )
      .action(run(incident));
  },
};
