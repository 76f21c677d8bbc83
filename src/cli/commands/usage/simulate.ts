/** `bulkhead simulate`: what other limits would have done to recorded use. Changes nothing. */
import type { Command } from 'commander';
import { simulate } from '../../../agent/policy/simulate-limits.ts';
import type { SimulatedLimit } from '../../../agent/policy/simulate-response.ts';
import { MemberIndex } from '../../../agent/sampling/member-index.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { shortBytes } from '../../../../packages/base/bytes.ts';
import { policyReaderOf } from '../../capability.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../shared/agent-request.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { dateTime, duration, percent, shortCount, shortLimit } from '../../shared/format.ts';
import { parsePeriod, withPeriodOptions, type PeriodOptions } from '../../shared/period.ts';
import { showProgress } from '../../shared/progress.ts';
import { print, printError, printJson, showDiagnostics } from '../../shared/session.ts';
import { table, terminalOf, wrap } from '../../shared/terminal.ts';
import type { SimulateJson } from '../json.ts';

interface SimulateOptions extends PeriodOptions, JsonOption {
  readonly policy: string;
  readonly tenant?: string;
}

function simulatePolicy(options: SimulateOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask, paths) => {
    if (process.geteuid?.() !== 0) return usageError(onlyRoot);
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const loaded = (await policyReaderOf(command)).load(options.policy, paths);
    if (loaded.problem !== undefined) printError(loaded.problem);
    if (options.json !== true || loaded.policy === undefined) showDiagnostics(loaded.diagnostics);
    if (loaded.policy === undefined) return exitCodes.failed;
    const progress = showProgress('Replaying limits');
    const found = await simulate(ask, {
      period: period.value,
      after: new MemberIndex(loaded.policy),
      tenant: options.tenant,
      onProgress: (done, total) => progress.update(done, total),
    });
    progress.done();
    const answer = responseOrReport(found);
    if (answer === undefined) return exitCodes.failed;
    if (options.json === true) printJson(answer satisfies SimulateJson);
    else printSimulation(answer);
    for (const each of answer.problems) printError(printable(formatProblem(each)));
    return answer.problems.length === 0 ? exitCodes.done : exitCodes.failed;
  });
}

const onlyRoot: Problem = {
  action: 'replay the history of tenants',
  reason: 'only root may see all of it',
  hint: 'run it as root',
};

function printSimulation(answer: SimulateJson): void {
  const { from, to, measuredSeconds, limits, host, withoutHistory, partly = [] } = answer;
  const measured = `of which ${duration(measuredSeconds)} were measured`;
  print(`${dateTime(from)} to ${dateTime(to)}, ${measured}\n\n`);
  if (host.length > 0) printHost(host);
  if (limits.length > 0) printLimits(limits);
  else if (measuredSeconds === 0)
    print('Nothing was measured in this period: nobody knows who would have noticed');
  else print('No tenant would have noticed, as far as the history shows');
  const notes = [
    ...partly.map(
      ({ limit, measuredSeconds: known }) =>
        `${shortLimit(limit)}: only ${duration(known)} of it are known.`,
    ),
    ...(limits.some(isHeldBack) ? [heldNote] : []),
    ...(limits.some(({ effect }) => effect.endsWith('unknown')) ? [unknownNote] : []),
    ...(withoutHistory > 0
      ? [
          `Without history: ${withoutHistory} ${withoutHistory === 1 ? 'member' : 'members'} of the new policy.`,
        ]
      : []),
  ];
  const { columns } = terminalOf(process.stdout);
  if (notes.length > 0) print(`\n${notes.map((each) => wrap(each, columns)).join('\n')}`);
}

const isHeldBack = ({ secondsMin, secondsMax }: SimulatedLimit) =>
  secondsMin !== undefined && secondsMax === undefined;

const missing = (each: SimulatedLimit) => (isHeldBack(each) ? 'unknown' : '-');

const heldNote =
  'HAPPENED counts faults of the present limit. It held back use that the history does not have, so nobody knows how long the new limit would have been reached at most.';
const unknownNote =
  'unknown: the history does not show what was wanted above the present limit, or has no such metric.';

function printHost(host: SimulateJson['host']): void {
  const { colors } = terminalOf(process.stdout);
  const header = [
    'HOST',
    'AVAILABLE',
    'COMMITTED',
    'THEN',
    'OVERCOMMIT',
    'THEN',
    'UNLIMITED TENANTS',
    'THEN',
  ];
  const rows = host.map(({ limit, available, before, after }) => {
    const text = limit === 'memory.limit' ? shortBytes : percent;
    return [
      printable(shortLimit(limit)),
      text(available),
      text(before.committed),
      text(after.committed),
      `${before.overcommit.toFixed(2)}x`,
      `${after.overcommit.toFixed(2)}x`,
      String(before.unlimitedTenants),
      String(after.unlimitedTenants),
    ];
  });
  print(`${table([header.map(colors.dim), ...rows], [1, 2, 3, 4, 5, 6, 7])}\n\n`);
}

function printLimits(limits: readonly SimulatedLimit[]): void {
  const { colors } = terminalOf(process.stdout);
  const header = [
    'WHO',
    'LIMIT',
    'NOW',
    'THEN',
    'WOULD BE',
    'AT LEAST',
    'AT MOST',
    'TIMES',
    'HAPPENED',
  ];
  const worst = limits.toSorted((a, b) => (b.secondsMin ?? 0) - (a.secondsMin ?? 0));
  const cells = worst.map((each) => [
    printable(each.kind === 'reseller' ? `${each.name} (all)` : each.name),
    printable(shortLimit(each.limit)),
    printable(each.before),
    printable(each.after),
    each.effect,
    each.secondsMin === undefined ? '-' : duration(each.secondsMin),
    each.secondsMax === undefined ? missing(each) : duration(each.secondsMax),
    each.stretches === undefined ? '-' : shortCount(each.stretches),
    shortCount(each.happened),
  ]);
  print(table([header.map(colors.dim), ...cells], [2, 3, 5, 6, 7, 8]));
}

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(
      command.requiredOption('-p, --policy <file>', 'the policy with the other limits'),
      '30d',
    )
      .option('--tenant <name>', 'only this tenant, site or reseller')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead simulate --policy new.xml', 'the last 30 days'],
          ['bulkhead simulate --policy new.xml --tenant alice --period 7d', ''],
        ),
      )
      .action(run(simulatePolicy));
  },
};
