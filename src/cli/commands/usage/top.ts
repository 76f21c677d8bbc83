/** `bulkhead top`: what each tenant uses now, live on a terminal. */
import type { Paths } from '../../../host/paths.ts';
import { printError, printJson } from '../../shared/session.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { answerMilliseconds, brieflyMilliseconds } from '../../../agent/api/client.ts';
import type { TopResponse } from '../../../agent/api/api.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../shared/agent-request.ts';
import { showsUnicode } from '../../shared/graph.ts';
import { liveTop } from '../../tui/live-top.ts';
import type { Style } from '../../tui/top-columns.ts';
import { printTop } from '../../tui/top-once.ts';
import { selectRows, topSorts, type Selection, type TopSort } from '../../tui/top-rows.ts';
import { firstState } from '../../tui/top-state.ts';
import { rowsOption } from '../../shared/whole.ts';
import { terminalOf } from '../../shared/terminal.ts';
import { policyReaderOf } from '../../capability.ts';
import type { TopJson } from '../json.ts';

interface TopOptions extends JsonOption {
  readonly delay: number;
  readonly sort: TopSort;
  readonly filter: string;
  readonly count?: number;
  readonly once?: boolean;
  readonly all?: boolean;
  readonly resellers?: boolean;
  readonly sites?: boolean;
}

function top(options: TopOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask, paths) => {
    const all = options.all === true;
    const once = options.json === true || options.once === true || !isLive();
    const wait = once && options.json !== true ? brieflyMilliseconds : answerMilliseconds;
    const asked = await ask<TopResponse>('/v1/top', { all }, 'GET', wait);
    const answer =
      responseOrReport(asked) ?? (once ? await fromKernel(command, paths, all) : undefined);
    if (answer === undefined) return exitCodes.failed;
    const selection = selectionOf(options);
    if (options.json === true) {
      printJson(narrowed(answer, options, selection) satisfies TopJson);
      return exitCodes.done;
    }
    const style: Style = { colors: terminalOf(process.stdout).colors, unicode: showsUnicode() };
    if (once) {
      const rows = selectRows(answer.rows, selection).slice(0, options.count);
      printTop(answer, rows, options.sort, style);
      return exitCodes.done;
    }
    const state = { ...firstState, ...selection, all };
    await liveTop({ ask, first: answer, state, style, delayMilliseconds: options.delay * 1000 });
    // A request that is still in progress must not keep the shell waiting.
    process.exit(exitCodes.done);
  });
}

/**
 * Computes the rows from the kernel's counters; needs root, since only root may read the policy.
 */
async function fromKernel(
  command: Command,
  paths: Paths,
  all: boolean,
): Promise<TopResponse | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const { topFromKernel } = await import('./kernel-top.ts');
  const found = await topFromKernel(await policyReaderOf(command), paths, all);
  if (found !== undefined) {
    printError('showing what the kernel counts: faults and peaks are unknown without the agent');
  }
  return found;
}

const isLive = () => process.stdout.isTTY && process.stdin.isTTY && process.env['TERM'] !== 'dumb';

const selectionOf = ({ sort, filter, resellers, sites }: TopOptions): Selection => ({
  sort,
  filter,
  reverse: false,
  kind: sites === true ? 'site' : resellers === true ? 'reseller' : 'tenant',
});

/** Returns the whole response, unless less was requested. */
function narrowed(answer: TopResponse, options: TopOptions, selection: Selection): TopResponse {
  const { filter, count, resellers, sites } = options;
  const whole = filter === '' && [count, resellers, sites].every((each) => each === undefined);
  if (whole) return answer;
  return { ...answer, rows: selectRows(answer.rows, selection).slice(0, options.count) };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || value < 0.2 || value > 3600)
    throw new InvalidArgumentError('Use a number of seconds from 0.2 to 3600.');
  return value;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(
        new Option('-d, --delay <seconds>', 'seconds between refreshes')
          .argParser(seconds)
          .default(1),
      )
      .addOption(
        new Option('--sort <column>', 'column to sort by').choices(topSorts).default('cpu'),
      )
      .option('--filter <text>', 'only tenants whose name, package or reseller contains it', '')
      .addOption(rowsOption())
      .option('-a, --all', 'include idle tenants')
      .addOption(
        new Option('--resellers', 'show resellers, each as the sum of its tenants').conflicts(
          'sites',
        ),
      )
      .option('--sites', 'show the sites of tenants')
      .option('--once', 'print once and exit')
      .option('--json', 'print the last tick as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead top', 'live; h lists the keys'],
          ['bulkhead top --sort io --filter business', 'one package, by disk I/O'],
          ['bulkhead top --once -n 10', 'the ten tenants that use the most CPU, once'],
        ),
      )
      .action(run(top));
  },
};
