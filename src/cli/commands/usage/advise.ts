/** `bulkhead advise`: limits that would have fitted past usage, and how far the host is overcommitted. */
import { Option, type Command } from 'commander';
import type { Advice, AdviseResponse } from '../../../agent/api/usage-api.ts';
import type { Paths } from '../../../host/paths.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import {
  adviceCommands,
  isNotable,
  shellWord,
  targets,
  type PackageAdvice,
  type AdviceTarget,
} from './advice.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../shared/agent-request.ts';
import { dateTime, duration, shortCount, shortLimit } from '../../shared/format.ts';
import { parsePeriod, withPeriodOptions, type PeriodOptions } from '../../shared/period.ts';
import { print, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { table, terminalOf } from '../../shared/terminal.ts';
import type { AdviseJson } from '../json.ts';

interface AdviseOptions extends PeriodOptions, JsonOption {
  readonly all?: boolean;
  readonly commands?: boolean;
  readonly target: AdviceTarget;
}

function advise(options: AdviseOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask, paths) => {
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const answer = responseOrReport(await ask<AdviseResponse>('/v1/advise', { ...period.value }));
    if (answer === undefined) return exitCodes.failed;
    const shown = options.all === true ? answer : notable(answer);
    if (options.json === true) printJson(answer satisfies AdviseJson);
    else if (options.commands === true) printCommands(shown, options.target, paths);
    else printAdvice(shown, options.all === true);
    return exitCodes.done;
  });
}

const notable = (answer: AdviseResponse): AdviseResponse => ({
  ...answer,
  tenants: answer.tenants.filter(isNotable),
  packages: answer.packages.filter(isNotable),
});

function printCommands(
  { tenants, packages }: AdviseResponse,
  target: AdviceTarget,
  paths: Paths,
): void {
  const isDefault = paths.instance === 'bulkhead';
  const program = isDefault ? 'bulkhead' : `bulkhead --instance ${shellWord(paths.instance)}`;
  const lines = adviceCommands(tenants, packages, target, program);
  if (lines.length > 0) print(lines.map(printable).join('\n'));
}

function printAdvice(answer: AdviseResponse, all: boolean): void {
  const { from, to, measuredSeconds, tenants, packages } = answer;
  print(
    `${dateTime(from)} to ${dateTime(to)}, of which ${duration(measuredSeconds)} were measured\n\n`,
  );
  printHost(answer);
  if (packages.length > 0) printTable('PACKAGE', packages.map(packageCells));
  if (tenants.length > 0) printTable('TENANT', tenants.map(tenantCells));
  const nothing = packages.length + tenants.length === 0;
  if (nothing && !all) print('Every limit fits what was used; --all lists them');
  if ([...packages, ...tenants].some(({ reason }) => reason !== undefined)) print(`\n${hitNote}`);
  if ([...packages, ...tenants].some(({ countsDatabases }) => countsDatabases === true))
    print(`\n${countsNote}`);
  if (!nothing) print('\n"bulkhead advise --commands" prints the commands to set them');
}

const hitNote = 'A limit that was hit is too low; how much is needed is unknown until it is raised';

const countsNote =
  'cpu + database: programs and database work together. Their peaks may have been at different times, so less may do';

const limitCells = ({
  limit,
  current,
  neverHit,
  onePercentHit,
  faults,
  hitValue,
  knownSince,
  countsDatabases,
}: Advice | PackageAdvice) => [
  `${printable(shortLimit(limit))}${countsDatabases === true ? ' + database' : ''}`,
  printable(current),
  printable(neverHit),
  printable(onePercentHit),
  shortCount(faults),
  hitValue === undefined ? '' : printable(hitValue),
  knownSince === undefined ? '-' : dateTime(knownSince),
];

const tenantCells = (advice: Advice) => [
  printable(advice.kind === 'reseller' ? `${advice.name} (all)` : advice.name),
  ...limitCells(advice),
];

const packageCells = (advice: PackageAdvice) => [
  printable(`${advice.package} (${knownOf(advice)})`),
  ...limitCells(advice),
];

const knownOf = ({ tenants, tenantsKnown }: PackageAdvice) =>
  tenantsKnown === tenants ? `${tenants}` : `${tenantsKnown} of ${tenants} known`;

/** Prints the limits that would never have been hit, or 1 % of the time. */
function printTable(who: string, rows: readonly (readonly string[])[]): void {
  const { colors } = terminalOf(process.stdout);
  const header = [who, 'LIMIT', 'NOW', 'NEVER HIT', 'HIT 1 %', 'FAULTS', 'HIT AT', 'KNOWN SINCE'];
  print(`\n${table([header.map(colors.dim), ...rows], [2, 3, 4, 5, 6])}`);
}

function printHost({ host }: AdviseResponse): void {
  if (host.length === 0) return;
  const { colors } = terminalOf(process.stdout);
  const header = ['HOST', 'COMMITTED', 'AVAILABLE', 'OVERCOMMIT', 'PEAK', 'UNLIMITED TENANTS'];
  const rows = host.map((each) => {
    const times = `${each.overcommit.toFixed(2)}x`;
    return [
      printable(shortLimit(each.limit)),
      printable(each.committed),
      printable(each.available),
      each.overcommit > 1 ? colors.yellow(times) : times,
      printable(each.peak),
      String(each.unlimitedTenants),
    ];
  });
  print(table([header.map(colors.dim), ...rows], [1, 2, 3, 4, 5]));
}

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(command, '7d')
      .option('-a, --all', 'include limits that fit')
      .option('--commands', 'print the commands to set the advised limits')
      .addOption(
        new Option(
          '--target <share>',
          'share of the time during which the new limits may be hit, for --commands',
        )
          .choices(targets)
          .default('never'),
      )
      .option('--json', 'print everything as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead advise', 'from the last 7 days'],
          ['bulkhead advise --period 4w --all', ''],
          ['bulkhead advise --commands --target 1% > limits.sh', 'read the file before you run it'],
        ),
      )
      .action(run(advise));
  },
};
