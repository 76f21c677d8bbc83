/** `bulkhead lveinfo`: the usage of tenants in a period, in the shape of CloudLinux's command. */
import type { Command } from 'commander';
import type { UsageRow } from '../../agent/api/usage-api.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { accountOf } from '../core/lve-info.ts';
import { lveUses } from '../core/lve-usage.ts';
import { agentRequest, type AgentRequest } from '../../cli/shared/agent-request.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import type { InfoRow } from './info-columns.ts';
import { infoChoice, type ChoiceOptions } from './info-choice.ts';
import { infoCsv, infoJson, infoTable } from './info-format.ts';
import { parseLvePeriod, type PeriodSlice } from './lve-period.ts';
import { printError, pathsFor, print, printJson } from '../../cli/shared/session.ts';
import { askUsage, splitPeriod } from './usage-request.ts';
import { writeOut } from '../../cli/shared/write-out.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { LveinfoJson } from './json.ts';

interface InfoOptions extends ChoiceOptions {
  readonly from?: string;
  readonly to?: string;
  readonly period?: string;
  readonly user?: string;
  readonly id?: string;
  readonly displayUsername?: boolean;
  readonly blankValue: string;
  /** The path; `true` if none follows. */
  readonly csv?: string | boolean;
  readonly json?: boolean;
}

async function info(options: InfoOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const choice = infoChoice(options);
  if (!choice.ok) return refuse(choice.error, options, exitCodes.usage);
  const periods = periodsOf(options);
  if (!periods.ok) return refuse(periods.error, options, exitCodes.usage);
  const rows = await readRows(agentRequest(paths, options), periods.value, options);
  if (!rows.ok) return refuse(rows.error, options, exitCodes.failed);
  const { columns, choose } = choice.value;
  const shown = choose(rows.value);
  if (options.json === true) printJson(infoJson(columns, shown));
  else if (options.csv !== undefined && options.csv !== false) {
    const text = `${infoCsv(columns, shown, options.blankValue)}\n`;
    const { csv } = options;
    return writeOut(text, csv === true || csv === '-' ? {} : { output: csv, force: true });
  } else print(infoTable(columns, shown, options.blankValue));
  return exitCodes.done;
}

function refuse(problem: Problem, { json }: InfoOptions, code: ExitCode): ExitCode {
  const message = printable(formatProblem(problem));
  if (json === true) printJson({ success: 0, message, data: [] } satisfies LveinfoJson);
  else printError(message);
  return code;
}

function periodsOf(options: InfoOptions): Result<readonly PeriodSlice[], Problem> {
  const period = parseLvePeriod(options, Date.now());
  if (!period.ok) return period;
  if (options.timeUnit === undefined) return ok([period.value]);
  if (tenantOf(options) === undefined) {
    return failed({
      action: 'split the period',
      reason: "only one tenant's period can be split",
      hint: 'add --user or --id',
    });
  }
  return splitPeriod(period.value, options.timeUnit);
}

const tenantOf = ({ user, id }: InfoOptions) => user ?? id;

/** Reads the rows: tenants by uid, or one tenant by time. */
async function readRows(
  ask: AgentRequest,
  periods: readonly PeriodSlice[],
  options: InfoOptions,
): Promise<Result<readonly InfoRow[], Problem>> {
  const named = options.displayUsername === true || options.user !== undefined;
  const idOf = (row: UsageRow) => (named ? accountOf(row) : undefined) ?? String(row.uid);
  const rows: InfoRow[] = [];
  for (const period of periods) {
    const answer = await askUsage(ask, period, tenantOf(options));
    if (!answer.ok) return answer;
    for (const use of lveUses(answer.value)) {
      rows.push({ id: idOf(use.usage), period, ...use });
    }
  }
  return ok(rows);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('-f, --from <moment>', 'start, such as "2026-01-31 18:30" (default: ten minutes ago)')
      .option('-t, --to <moment>', 'end (default: now)')
      .option('--period <length>', 'until now: 5m, 4h, 2d, today; or yesterday')
      .option('-u, --user <name>', 'only this tenant, by account')
      .option('--id <uid>', 'only this tenant, by uid')
      .option('-d, --display-username', 'account names instead of uids')
      .option(
        '-o, --order-by <column>',
        'sort by a column, largest first, for example cpu or any_faults',
      )
      .option('-b, --by-usage <columns...>', 'only tenants that used most of one of these limits')
      .option(
        '-p, --percentage <percent>',
        'minimum usage in percent of the limit, for --by-usage',
        '90',
      )
      .option('--by-fault <columns...>', 'only tenants that hit one of these limits')
      .option('-r, --threshold <faults>', 'minimum number of faults, for --by-fault', '1')
      .option('-l, --limit <rows>', 'maximum number of rows; 0 is all', '10')
      .option('-c, --csv [file]', 'print CSV')
      .option('-j, --json', 'print JSON')
      .option('--dbgov', 'the use of database servers: CPU, connections, and who was held')
      .option('--show-all', 'every column')
      .option('--show-columns <columns...>', 'only these columns, for example id aCPU CPUf')
      .option('--time-unit <length>', 'split the period of one tenant into rows of this length')
      .option('--blank-value <text>', 'text for a value that is not measured', '-')
      .addHelpText(
        'after',
        examples(
          ['bulkhead lveinfo --period=1d -o any_faults', ''],
          ['bulkhead lveinfo --by-fault any --period=today -d --json', ''],
          ['bulkhead lveinfo --user alice --period=24h --time-unit=1h', ''],
          ['bulkhead lveinfo --show-columns id,aCPU,lCPU,CPUf --csv', ''],
          ['bulkhead lveinfo --dbgov --period=5m -o cpu --json', ''],
        ),
      )
      .action(run(info));
  },
};
