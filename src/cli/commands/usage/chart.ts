/** `bulkhead chart`: the use of a tenant over a period as a picture, for tickets and mails. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import { suggestion } from '../../../policy/diagnostic.ts';
import { margin } from '../../../usage/chart/panel.ts';
import { themeNames, type ThemeName } from '../../../usage/chart/theme.ts';
import { chartWidths, usageChartSvg } from '../../../usage/chart/usage-chart.ts';
import { sampledKeys, type MetricKey } from '../../../usage/metrics.ts';
import {
  ownUid,
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../shared/agent-request.ts';
import { policyReaderOf } from '../../capability.ts';
import { pngOf } from './chart-png.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { parsePeriod, withPeriodOptions, type PeriodOptions } from '../../shared/period.ts';
import { printJson } from '../../shared/session.ts';
import { writeOut } from '../../shared/write-out.ts';
import type { ChartJson } from '../json.ts';
import { askChart, type ChartQuestion } from './chart-request.ts';
import { earlierLimits } from './earlier-limits.ts';

interface ChartOptions extends PeriodOptions, JsonOption {
  readonly metric?: readonly MetricKey[];
  readonly output: string;
  readonly force?: boolean;
  readonly theme: ThemeName;
  readonly width: number;
}

const standardOutput = '-';
/** The narrowest part, in pixels. */
const partWidth = 2;
/** The most parts that the agent answers. */
const partsMax = 1000;

function chart(
  name: string | undefined,
  options: ChartOptions,
  command: Command,
): Promise<ExitCode> {
  return withAgent(command, async (ask, paths) => {
    const tenant = name ?? ownUid();
    if (tenant === undefined) return usageError(noTenant);
    const { output, width } = options;
    if (!/^-$|\.(?:svg|png)$/i.test(output)) return usageError(unknownFormat(output));
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const room = Math.floor((width - margin.left - margin.right) / partWidth);
    const reader = process.geteuid?.() === 0 ? await policyReaderOf(command) : undefined;
    const earlier: ChartQuestion['earlier'] = (member, times) =>
      reader === undefined ? ok([]) : earlierLimits(reader, paths, member, times);
    const question = { tenant, period: period.value, metrics: options.metric, earlier };
    const found = await askChart(ask, { ...question, partsMax: Math.min(room, partsMax) });
    const answer = responseOrReport(found);
    if (answer === undefined) return exitCodes.failed;
    if (options.json !== true) return draw(answer, options);
    printJson(answer satisfies ChartJson);
    return exitCodes.done;
  });
}

async function draw(
  answer: ChartJson,
  { width, theme, output, force }: ChartOptions,
): Promise<ExitCode> {
  const { name, kind } = answer.who;
  const title = kind === 'reseller' ? `${name} (all tenants together)` : name;
  const svg = usageChartSvg(answer, { name: title, width, theme });
  if (output === standardOutput) return writeOut(svg, {});
  const content = /png$/i.test(output) ? await pngOf(svg) : svg;
  return writeOut(content, { output, force: force === true });
}

const noTenant: Problem = {
  action: 'draw a chart',
  reason: 'root is not a tenant',
  hint: 'name a tenant, for example: bulkhead chart alice',
};

const unknownFormat = (object: string): Problem => ({
  action: 'write the chart to',
  object,
  reason: 'its name ends neither in .svg nor in .png',
  hint: 'use such a name, or "-" for SVG on standard output',
});

function parseMetrics(text: string): readonly MetricKey[] {
  const keys = text.split(',').map((name) => {
    const key = sampledKeys.find((each) => each === name.trim());
    if (key !== undefined) return key;
    const hint = `there are ${sampledKeys.join(', ')}`;
    throw new InvalidArgumentError(
      `No metric is called ${JSON.stringify(name)}${suggestion(name, sampledKeys)}; ${hint}`,
    );
  });
  return [...new Set(keys)];
}

function parseWidth(text: string): number {
  const width = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  const { min, max } = chartWidths;
  if (width >= min && width <= max) return width;
  throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}`);
}

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(command, '24h')
      .addOption(
        new Option(
          '--metric <metrics>',
          'metrics, separated by commas (default: CPU, memory, disks, processes)',
        ).argParser(parseMetrics),
      )
      .addOption(
        new Option(
          '--output <file>',
          'FILE.svg, FILE.png, or - for SVG on standard output',
        ).default(standardOutput),
      )
      .option('--force', 'replace an existing file')
      .addOption(new Option('--theme <theme>', 'colors').choices(themeNames).default('light'))
      .addOption(
        new Option('--width <pixels>', 'width of the picture')
          .argParser(parseWidth)
          .default(chartWidths.default),
      )
      .addOption(new Option('--json', 'print the numbers as JSON').conflicts('output'))
      .addHelpText(
        'after',
        examples(
          ['bulkhead chart alice --output alice.png', 'the last 24 hours, for a ticket'],
          ['bulkhead chart alice --period 30d --metric cpu,memory --output alice.svg', ''],
          ['bulkhead chart --period 7d --theme dark > own.svg', 'as a tenant: your own use'],
        ),
      )
      .action(run(chart));
  },
};
