/** `bulkhead cloudlinux-statistics`: the use of tenants in a period, in the shape of CloudLinux's command. */
import type { Command } from 'commander';
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { mainDomainsOf } from '../../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { agentRequest, type AgentRequest } from '../../../cli/shared/agent-request.ts';
import type { Period } from '../../../cli/shared/period.ts';
import { pathsFor, print, printError, printJson } from '../../../cli/shared/session.ts';
import { table } from '../../../cli/shared/terminal.ts';
import { lveKeys, lveUses, type LveUse } from '../../core/lve-usage.ts';
import { isOfReseller } from '../../core/reseller-filter.ts';
import type { CloudlinuxStatisticsJson } from '../json.ts';
import { parseLvePeriod, type PeriodSlice } from '../lve-period.ts';
import { notKnown } from '../top-shape.ts';
import { askUsage, splitPeriod } from '../usage-request.ts';
import {
  statisticsChoice,
  type StatisticsChoice,
  type StatisticsOptions,
} from './statistics-choice.ts';
import { detailsOf, summaryOf, type StatisticsSummary } from './statistics-shape.ts';

interface Options extends StatisticsOptions {
  readonly json?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly period?: string;
  readonly id?: string;
  readonly timeUnit?: string;
  readonly serverId?: string;
  readonly server_id?: string;
}

async function statistics(options: Options, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const choice = statisticsChoice(options);
  if (!choice.ok) return refuse(choice.error, options, exitCodes.usage);
  const period = periodOf(options);
  if (!period.ok) return refuse(period.error, options, exitCodes.usage);
  const ask = agentRequest(paths, options);
  if (options.id !== undefined) {
    return details(ask, options.id, period.value, choice.value, options);
  }
  const answer = await askUsage(ask, period.value, undefined);
  if (!answer.ok) return refuse(answer.error, options, exitCodes.failed);
  const domains = await mainDomainsOf(command, paths);
  const summary = summaryOf(answer.value, choice.value, domains, Date.now());
  if (options.json === true) printJson(summary satisfies CloudlinuxStatisticsJson);
  else print(tableOf(summary));
  return exitCodes.done;
}

/** Prints the failure in the documented shape; unlike CloudLinux's, it is an exit status as well. */
function refuse(problem: Problem, { json }: Options, code: ExitCode): ExitCode {
  const text = printable(formatProblem(problem));
  if (json === true)
    printJson({
      context: { error_text: text },
      result: 'An error occured: "%(error_text)s"',
      timestamp: Date.now() / 1000,
    } satisfies CloudlinuxStatisticsJson);
  else printError(text);
  return code;
}

function periodOf(options: Options): Result<Period, Problem> {
  const { timeUnit, id } = options;
  const serverId = options.serverId ?? options.server_id;
  if (serverId !== undefined && serverId !== 'localhost') {
    const reason = 'each server has its own statistics; "localhost" is this one';
    return failed({ action: 'show the server', object: serverId, reason });
  }
  if (timeUnit !== undefined && id === undefined) {
    const reason = "only one tenant's period can be split";
    return failed({ action: 'split the period', reason, hint: 'add --id' });
  }
  if (id !== undefined && !/^\d{1,10}$/.test(id))
    return failed({ action: 'show the id', object: id, reason: 'that is not a uid' });
  return parseLvePeriod(options, Date.now());
}

/** The number of parts of a period with the unit "dynamic", as far as they are whole minutes. */
const dynamicParts = 60;
const minute = 60_000;

const dynamicUnit = ({ from, to }: Period) =>
  `${Math.max(1, Math.ceil((to - from) / minute / dynamicParts))}m`;

async function details(
  ask: AgentRequest,
  id: string,
  whole: Period,
  { keys, reseller }: StatisticsChoice,
  options: Options,
): Promise<ExitCode> {
  const unit = options.timeUnit === 'dynamic' ? dynamicUnit(whole) : (options.timeUnit ?? '1m');
  const periods = splitPeriod(whole, unit);
  if (!periods.ok) return refuse(periods.error, options, exitCodes.usage);
  const uses = await usesOf(ask, id, reseller, periods.value);
  if (!uses.ok) return refuse(uses.error, options, exitCodes.failed);
  const shown = detailsOf(uses.value, keys, Date.now());
  if (options.json === true) printJson(shown satisfies CloudlinuxStatisticsJson);
  else print(partsTable(shown.user));
  return exitCodes.done;
}

async function usesOf(
  ask: AgentRequest,
  id: string,
  reseller: string | undefined,
  periods: readonly PeriodSlice[],
): Promise<Result<readonly (readonly [Period, LveUse])[], Problem>> {
  const found: (readonly [Period, LveUse])[] = [];
  for (const period of periods) {
    const answer = await askUsage(ask, period, id);
    if (!answer.ok) return answer;
    const asked = lveUses(answer.value).filter(({ usage }) =>
      isOfReseller(reseller, usage.reseller),
    );
    if (asked.length === 0) return noSuchTenant(id);
    found.push(...asked.map((use) => [period, use] as const));
  }
  return ok(found);
}

/** The reason does not tell a tenant of somebody else from none at all. */
const noSuchTenant = (object: string) =>
  failed({
    action: 'show tenant',
    object,
    reason: 'there is none with that name that you may see',
  });

type Sections = Pick<StatisticsSummary['users'][number], 'usage' | 'limits' | 'faults'>;

const titles = lveKeys.flatMap((key) => [key.toUpperCase(), 'OF', 'FAULTS']);
const right = titles.map((_, index) => index + 1);

const cellsOf = ({ usage, limits, faults }: Sections) =>
  lveKeys.flatMap((key) =>
    [usage, limits, faults].map((section) => String(section[key]?.lve ?? '-')),
  );

function tableOf({ users, resellers }: StatisticsSummary): string {
  const rows = [
    ...users.map((each) => [
      each.username === notKnown ? String(each.id) : each.username,
      ...cellsOf(each),
    ]),
    ...resellers.map((each) => [`${each.name} (all)`, ...cellsOf(each)]),
  ];
  if (rows.length === 0) return 'No tenants to show';
  const cells = rows.map(([name = '', ...values]) => [printable(name), ...values]);
  return table([['USER', ...titles], ...cells], right);
}

const partsTable = (parts: readonly (Sections & { readonly from: number })[]) =>
  table(
    [
      ['FROM', ...titles],
      ...parts.map((each) => [new Date(each.from * 1000).toISOString(), ...cellsOf(each)]),
    ],
    right,
  );

export const command: CommandModule = {
  define(command, run) {
    command
      .option('-j, --json', 'print it as JSON')
      .option('-f, --from <moment>', 'start, such as "2026-01-31 18:30" (default: ten minutes ago)')
      .option('-t, --to <moment>', 'end (default: now)')
      .option('--period <length>', 'until now: 5m, 4h, 2d, today; or yesterday')
      .option('--id <uid>', 'one tenant, in parts of the period')
      .option('--time-unit <length>', 'length of the parts: 1h, 1h30m, dynamic (default: 1m)')
      .option('--by-usage <field>', 'only tenants that used most of this limit')
      .option('--percentage <percent>', 'minimum usage in percent, for --by-usage', '90')
      .option('--by-fault <field>', 'only tenants that hit this limit, or any')
      .option('--threshold <faults>', 'minimum number of faults, for --by-fault', '1')
      .option('--limit <number>', 'maximum number of tenants; 0 is all', '0')
      .option('--show <fields...>', `only these fields: ${lveKeys.join(', ')}`)
      .option('-o, --order-by <field>', 'sort, largest first: cpu, io, any_faults, cpu_faults, …')
      .option(
        '-r, --for-reseller <name>',
        'only this reseller and its tenants; root: those without one',
      )
      .option('--server-id <id>', 'only localhost: each server has its own statistics')
      .option('--server_id <id>', 'the same')
      .addHelpText(
        'after',
        examples(
          ['bulkhead cloudlinux-statistics --json --period=1d', ''],
          ['bulkhead cloudlinux-statistics --json --by-fault=any --period=today', ''],
          ['bulkhead cloudlinux-statistics --json --id=1001 --time-unit=1h --period=1d', ''],
        ),
      )
      .action(run(statistics));
  },
};
