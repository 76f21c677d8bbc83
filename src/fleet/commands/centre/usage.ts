/** `bulkhead fleet usage TENANT`: what a tenant used, on each host that has one of that name. */
import { count, listSome } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { usageError } from '../../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { duration } from '../../../cli/shared/format.ts';
import { print, printJson } from '../../../cli/shared/output.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { metricWords } from '../../../usage/chart/metric-words.ts';
import { cutAnswers } from '../../core/ask/believable.ts';
import type { AskedMetric } from '../../core/ask/question.ts';
import { missingText, withAnswers, withAskOptions, type AskOptions } from './ask-fleet.ts';
import type { FleetUsageJson, FleetUsageRowJson } from './json.ts';
import { askedSeconds, useCells, useTitles } from './use-text.ts';

interface UsageOptions extends AskOptions {
  readonly period: string;
}

const metrics: readonly AskedMetric[] = [
  'cpu',
  'memory',
  'read',
  'write',
  'processes',
  'databaseCpu',
  'sent',
  'received',
];

function usage(tenant: string, options: UsageOptions): Promise<ExitCode> {
  const seconds = askedSeconds(options.period);
  if (!seconds.ok) return Promise.resolve(usageError(seconds.error));
  const question = { seconds: seconds.value, metrics, tenant, count: 1 };
  return withAnswers(options, options.host, question, ({ answers, unanswered }) => {
    const rows = answers.flatMap(({ host, measuredSeconds, rows: found }) =>
      found.map((row): FleetUsageRowJson => ({ host, measuredSeconds, ...row })),
    );
    rows.sort((one, other) => (one.host < other.host ? -1 : 1));
    const hosts = answers.length;
    const found = answers.filter(({ tenants }) => tenants > 0).map(({ host }) => host);
    const shown: FleetUsageJson = {
      seconds: seconds.value,
      tenant,
      hosts,
      unanswered,
      truncated: cutAnswers(answers, question.count),
      found: found.sort(),
      rows,
    };
    if (options.json === true) printJson(shown);
    else print(textOf(shown));
    return found.length === 0 ? exitCodes.failed : exitCodes.done;
  });
}

function textOf(shown: FleetUsageJson): string {
  const { seconds, tenant, hosts, found, rows } = shown;
  const { colors } = terminalOf(process.stdout);
  const header = ['HOST', 'TENANT', 'METRIC', ...useTitles].map((title) => colors.dim(title));
  const lines = rows.flatMap(({ host, name, use }) =>
    use.map((each) => [host, printable(name), metricWords[each.metric].title, ...useCells(each)]),
  );
  const note = missingText(shown);
  return [
    rows.length === 0
      ? found.length === 0
        ? `None of ${count(hosts, 'host')} that answered has a tenant ${printable(tenant)}`
        : `${printable(tenant)} used nothing in the last ${duration(seconds)} on ${listSome(found)}`
      : table([header, ...lines], [3, 4, 5, 6]),
    ...(note === '' ? [] : [`Not known: ${note}`]),
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name or uid of a tenant');
    withAskOptions(command)
      .option('--period <period>', '10m, 4h or 2d until now; 30 days at most', '1h')
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet usage alice', 'on every host that has an alice'],
          ['bulkhead fleet usage alice --host web-017 --period 7d', ''],
        ),
      )
      .action(run(usage));
  },
};
