/**
 * `bulkhead cloudlinux-top`: the current usage of tenants, in the shape of CloudLinux's command.
 */
import type { Command } from 'commander';
import type { TopResponse } from '../../agent/api/api.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import {
  notKnown,
  topFieldNames,
  topOf,
  type TopSection,
  type Top,
  type TopChoice,
  type TopField,
  type TopUser,
} from './top-shape.ts';
import { agentRequest } from '../../cli/shared/agent-request.ts';
import { mainDomainsOf } from '../../cli/capability.ts';
import { printError, pathsFor, print, printJson } from '../../cli/shared/session.ts';
import { table } from '../../cli/shared/terminal.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { CloudlinuxTopJson } from './json.ts';

interface TopOptions {
  readonly json?: boolean;
  readonly username?: string;
  readonly forReseller?: string;
  readonly domain?: string;
  readonly max: string;
  readonly orderBy: string;
  readonly show?: readonly string[];
  readonly hideMysql?: boolean;
}

async function top(options: TopOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const choice = choiceOf(options);
  if (!choice.ok) return refuse(choice.error, options, exitCodes.usage);
  // Idle tenants too: a panel shows everybody's limits.
  const answer = await agentRequest(paths, options)<TopResponse>('/v1/top', { all: true });
  if (!answer.ok) return refuse(answer.error, options, exitCodes.failed);
  const domains = await mainDomainsOf(command, paths);
  const shaped = topOf(answer.value, choice.value, ({ uid }) => printed(domains.get(uid)));
  if (options.json === true) printJson(shaped satisfies CloudlinuxTopJson);
  else print(tableOf(shaped));
  return exitCodes.done;
}

/**
 * Prints the failure and returns its exit code. CloudLinux's own command fails in this shape too,
 * though with a status of 0.
 */
function refuse(problem: Problem, { json }: TopOptions, code: ExitCode): ExitCode {
  const result = printable(formatProblem(problem));
  if (json === true)
    printJson({ result, timestamp: Date.now() / 1000 } satisfies CloudlinuxTopJson);
  else printError(result);
  return code;
}

const printed = (text: string | undefined) => text && printable(text);

function choiceOf(options: TopOptions): Result<TopChoice, Problem> {
  const max = /^\d{1,7}$/.test(options.max) ? Number(options.max) : undefined;
  if (max === undefined)
    return failed({ action: 'set --max to', object: options.max, reason: 'that is not a number' });
  const orderBy = usedField(options.orderBy);
  if (!orderBy.ok) return orderBy;
  const show: TopField[] = [];
  for (const word of (options.show ?? []).flatMap((each) => each.split(','))) {
    if (word === 'all' || word === '') continue;
    const field = fieldNamed(word);
    if (!field.ok) return field;
    show.push(field.value);
  }
  const { username, domain, forReseller: reseller } = options;
  return ok({
    username,
    reseller,
    domain,
    max: max === 0 ? Infinity : max,
    orderBy: orderBy.value,
    show,
    hidesDatabases: options.hideMysql === true,
  });
}

function usedField(word: string): Result<TopChoice['orderBy'], Problem> {
  if (word === 'mysql_cpu') return ok(word);
  const found = fieldNamed(word);
  if (!found.ok) return found;
  if (found.value !== 'ep') return ok(found.value);
  return failed({
    action: 'order by',
    object: word,
    reason: 'web servers report which requests they refuse, and not how many they serve',
    hint: '"lveinfo --by-fault ep" shows who was refused some',
  });
}

function fieldNamed(word: string): Result<TopField, Problem> {
  const cannot = { action: 'use the field', object: word };
  if (word.startsWith('mysql')) {
    return failed({ ...cannot, reason: 'of databases, only the CPU time is measured: mysql_cpu' });
  }
  const found = topFieldNames.find((each) => each === word);
  if (found !== undefined) return ok(found);
  return failed({ ...cannot, reason: `there is no such field${suggestion(word, topFieldNames)}` });
}

type Value = readonly [
  name: keyof TopSection,
  title: string,
  text: (section: TopSection) => string,
];

const percent = (value: number | undefined) => `${Math.round(value ?? 0)}%`;
const perSecond = (value: number | undefined) => `${shortBytes(value ?? 0)}/s`;

const values: readonly Value[] = [
  ['cpu', 'CPU', ({ cpu }) => percent(cpu?.all)],
  ['mem', 'PMEM', ({ mem }) => shortBytes(mem ?? 0)],
  ['io', 'IO', ({ io }) => perSecond(io?.all)],
  ['iops', 'IOPS', ({ iops }) => String(Math.round(iops ?? 0))],
  ['pno', 'NPROC', ({ pno }) => String(pno ?? 0)],
];

/** Returns a table with each value next to its limit; entries have no value and are left out. */
function tableOf({ users, resellers }: Top): string {
  const rows = [
    ...users.map((each) => ({ ...each, name: nameOf(each) })),
    ...resellers.map((each) => ({ ...each, name: `${each.name} (all)` })),
  ];
  const [first] = rows;
  if (first === undefined) return 'No tenants to show';
  const columns = values.filter(([name]) => first.usage[name] !== undefined);
  const header = ['USER', ...columns.flatMap(([, title]) => [title, 'OF'])];
  const cells = rows.map(({ name, usage, limit }) => [
    printable(name),
    ...columns.flatMap(([field, , text]) => [
      text(usage),
      isNone(limit[field]) ? '-' : text(limit),
    ]),
  ]);
  return table(
    [header, ...cells],
    header.map((_, index) => index).filter((index) => index > 0),
  );
}

/** Returns the account's name, or the uid if there is no account. */
const nameOf = ({ id, username }: TopUser) => (username === notKnown ? String(id) : username);

const isNone = (limit: TopSection[keyof TopSection]) =>
  (typeof limit === 'number' ? limit : (limit?.all ?? 0)) === 0;

export const command: CommandModule = {
  define(command, run) {
    command
      .option('-j, --json', 'print it as JSON')
      .option('-u, --username <part>', 'only users whose name contains this')
      .option(
        '-r, --for-reseller <name>',
        'only this reseller and its users; root: those without one',
      )
      .option('-d, --domain <name>', 'only users whose main domain contains this')
      .option('-m, --max <number>', 'maximum number of users; 0 is all', '25')
      .option(
        '-o, --order-by <field>',
        'sort by one of cpu, io, iops, nproc, pmem, mysql_cpu',
        'cpu',
      )
      .option('--show <fields...>', 'only these fields')
      .option('--hide-mysql', 'without the CPU time of database servers')
      .addHelpText(
        'after',
        examples(
          ['bulkhead cloudlinux-top --json', ''],
          ['bulkhead cloudlinux-top --order-by io --max=100', ''],
          ['bulkhead cloudlinux-top --json --show=cpu,io', ''],
        ),
      )
      .action(run(top));
  },
};
