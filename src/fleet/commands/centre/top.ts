/** `bulkhead fleet top`: the tenants of all hosts that used the most. Each host is asked for its own, and they are merged. */
import { Option } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { usageError } from '../../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { duration } from '../../../cli/shared/format.ts';
import { print, printJson } from '../../../cli/shared/output.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { wholeNumberOption } from '../../../cli/shared/whole.ts';
import { cutAnswers } from '../../core/ask/believable.ts';
import { mergedTop, type FleetTopRow } from '../../core/ask/merge.ts';
import { askedMetricNames, askedRowsMax, type AskedMetric } from '../../core/ask/question.ts';
import { missingText, withAnswers, withAskOptions, type AskOptions } from './ask-fleet.ts';
import type { FleetTopJson } from './json.ts';
import { askedSeconds, useCells, useTitles } from './use-text.ts';

interface TopOptions extends AskOptions {
  readonly by: AskedMetric;
  readonly period: string;
  readonly count: number;
}

function top(options: TopOptions): Promise<ExitCode> {
  const { by, count, host, json } = options;
  const seconds = askedSeconds(options.period);
  if (!seconds.ok) return Promise.resolve(usageError(seconds.error));
  const question = { seconds: seconds.value, metrics: [by], tenant: null, count };
  return withAnswers(options, host, question, ({ answers, unanswered }) => {
    const tenants = mergedTop(answers, by, count);
    const busy = answers.reduce((sum, each) => sum + each.busy, 0);
    const shown: FleetTopJson = {
      seconds: seconds.value,
      metric: by,
      hosts: answers.length,
      unanswered,
      truncated: cutAnswers(answers, count),
      more: Math.max(0, busy - tenants.length),
      tenants,
    };
    if (json === true) printJson(shown);
    else print(textOf(shown));
    return exitCodes.done;
  });
}

function textOf(shown: FleetTopJson): string {
  const { seconds, metric, hosts, unanswered, more, tenants } = shown;
  const { colors } = terminalOf(process.stdout);
  const header = ['HOST', 'TENANT', 'PACKAGE', ...useTitles].map((title) => colors.dim(title));
  const note = missingText(shown);
  return [
    `${metric} in the last ${duration(seconds)}, ${hosts} of ${hosts + unanswered.length} hosts`,
    ...(tenants.length === 0 ? [] : [table([header, ...tenants.map(cells)], [3, 4, 5, 6])]),
    ...(more > 0 ? [`… and ${more} more not shown, which used less`] : []),
    ...(note === '' ? [] : [`Not known: ${note}`]),
  ].join('\n');
}

const cells = ({ host, name, package: plan, use }: FleetTopRow): readonly string[] => [
  host,
  printable(name),
  printable(plan ?? '-'),
  ...useCells(use),
];

export const command: CommandModule = {
  define(command, run) {
    withAskOptions(command)
      .addOption(
        new Option('--by <metric>', 'the metric that is asked for')
          .choices(askedMetricNames)
          .default('cpu'),
      )
      .option('--period <period>', '10m, 4h or 2d until now; 30 days at most', '1h')
      .addOption(
        new Option('-n, --count <rows>', 'number of tenants')
          .argParser(wholeNumberOption(1, askedRowsMax))
          .default(askedRowsMax),
      )
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet top', 'the 20 tenants of all hosts that used the most CPU'],
          ['bulkhead fleet top --by memory --period 1d -n 5', ''],
        ),
      )
      .action(run(top));
  },
};
