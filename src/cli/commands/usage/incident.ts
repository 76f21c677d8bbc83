/** `bulkhead incident ID`: what happened, why, and which processes were running. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { IncidentResponse, MovedIncidentResponse, Who } from '../../../agent/api/api.ts';
import { metricWords } from '../../../usage/chart/metric-words.ts';
import { metrics, peakKeys, sampledKeys } from '../../../usage/metrics.ts';
import { loadIncidentKinds, type IncidentKinds } from '../../../usage/incident-kinds.ts';
import type { KilledProcess, Snapshot } from '../../../usage/incident.ts';
import { capabilitiesOf } from '../../capability.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../shared/command.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../shared/agent-request.ts';
import { dateTime, duration, quantity, shortLimit } from '../../shared/format.ts';
import { processTable } from '../../shared/process-table.ts';
import { wholeNumberOption } from '../../shared/whole.ts';
import { count, print, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { terminalOf, wrap } from '../../shared/terminal.ts';
import type { IncidentJson } from '../json.ts';

interface IncidentOptions extends JsonOption {
  readonly of?: TenantElsewhere;
}

/** A tenant of this host, on the host from which it came. */
interface TenantElsewhere {
  readonly tenant: string;
  readonly host: string;
}

function parseElsewhere(text: string): TenantElsewhere {
  const [, tenant, host] = /^(.{1,300})@([^@]{1,253})$/.exec(text) ?? [];
  if (tenant !== undefined && host !== undefined) return { tenant, host };
  throw new InvalidArgumentError('Write a tenant and a host, such as alice@web-017');
}

function incident(id: number, options: IncidentOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const { of } = options;
    const answer = responseOrReport(
      of === undefined
        ? await ask<IncidentResponse>(`/v1/incidents/${id}`)
        : await ask<MovedIncidentResponse>(`/v1/moved/incidents/${id}`, { ...of }),
    );
    if (answer === undefined) return exitCodes.failed;
    if (options.json === true) printJson(answer satisfies IncidentJson);
    else print(incidentText(answer, await loadIncidentKinds(capabilitiesOf(command))));
    return exitCodes.done;
  });
}

/** The column in which all text starts, to the right of the labels. */
const indent = ' '.repeat(10);

function incidentText(answer: IncidentJson, kinds: IncidentKinds): string {
  const { isTerminal, columns } = terminalOf(process.stdout);
  const width = isTerminal ? columns : 100;
  const facts = factsOf(answer).map(([word, text]) =>
    wrap(`${word.padEnd(9)} ${printable(text)}`, width, indent),
  );
  return [
    facts.join('\n'),
    ...answer.explanation.map((each) => wrap(printable(each), width)),
    ...answer.evidence.map((each) => snapshotText(each, kinds, isTerminal ? columns : undefined)),
  ].join('\n\n');
}

function factsOf(answer: IncidentJson): readonly (readonly [word: string, text: string])[] {
  const { id, who, limit, value, from, severity, inferred, faults, begin, end } = answer;
  const lasted = duration((end - begin) / 1000);
  const why = inferred ? ', inferred from usage at the limit' : '';
  return [
    ['Incident', 'host' in answer ? `${id}, from ${answer.host}` : String(id)],
    ['Who', whoText(who)],
    ['When', `${dateTime(begin)} to ${dateTime(end)}, ${lasted}`],
    [
      'Limit',
      `${shortLimit(limit)} ${value}, from ${from === '' ? 'no line in the policy' : from}`,
    ],
    ['Severity', `${severity}, ${count(faults, 'fault')}${why}`],
  ];
}

function snapshotText(
  snapshot: Snapshot,
  kinds: IncidentKinds,
  columns: number | undefined,
): string {
  const { at, processes, processCount, killed = [], evidence } = snapshot;
  const refused = evidence === undefined ? [] : kinds.lines(evidence);
  const { colors } = terminalOf(process.stdout);
  const more = processCount - processes.length;
  return [
    colors.bold(`At ${dateTime(at)}, ${count(processCount, 'process', 'processes')}`),
    wrap(usageText(snapshot), columns ?? 100),
    ...killed.map((each) => colors.red(`Killed: ${killedText(each)}`)),
    ...refused.map((each) => `Refused: ${printable(each)}`),
    ...(processes.length === 0 ? [] : [processTable(processes, columns)]),
    ...(more > 0 ? [`… and ${more} more, which used less`] : []),
  ].join('\n');
}

function killedText({ pid, name, memoryBytes }: KilledProcess): string {
  const used = memoryBytes === undefined ? '' : `, which used ${quantity('bytes', memoryBytes)}`;
  return `${pid} ${printable(name)}${used}`;
}

/** Describes the usage at that moment, without zeros; with the peak since the tick before, if that was higher. */
function usageText({ usage }: Snapshot): string {
  const used = sampledKeys.filter((key) => (usage[key] ?? 0) > 0);
  const texts = used.map((key) => {
    const { unit } = metrics[key];
    const value = usage[key] ?? 0;
    const peakKey = peakKeys.get(key);
    const peak = peakKey === undefined ? 0 : (usage[peakKey] ?? 0);
    const more = peak > value ? ` (peak ${quantity(unit, peak)})` : '';
    return `${metricWords[key].title} ${quantity(unit, value)}${more}`;
  });
  return texts.length === 0 ? 'No usage' : texts.join(', ');
}

/** Names the member; if there is no account, the name is the uid already. */
function whoText({ name, kind, uid }: Who): string {
  const number = name === `uid ${uid}` ? '' : `, uid ${uid}`;
  return `${name}, ${kind}${number}`;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'as "bulkhead faults" lists it').argParser(
      wholeNumberOption(1, 999_999_999),
    );
    command
      .addOption(
        new Option(
          '--of <tenant@host>',
          'an incident that this host recorded before the tenant moved here',
        ).argParser(parseElsewhere),
      )
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead incident 42', 'incident 42 in "bulkhead faults"'],
          ['bulkhead incident 42 --of alice@web-017', 'incident 42 that web-017 recorded'],
        ),
      )
      .action(run(incident));
  },
};
