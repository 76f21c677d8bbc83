/**
 * `bulkhead lveps`: tenants that run something now, and with `-p` their processes, in the columns of CloudLinux's
 * command. Times and sums of a whole tenant since its start are not known: its CPU and IO need `-d`, the current rates.
 */
import type { Command } from 'commander';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LiveProcess, ProcessesResponse, TopResponse, TopRow } from '../../agent/api/api.ts';
import { agentRequest, processesPath } from '../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printError } from '../../cli/shared/session.ts';
import { table } from '../../cli/shared/terminal.ts';
import type { Paths } from '../../host/paths.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import { accountOf } from '../core/lve-info.ts';

interface PsOptions {
  readonly p?: boolean;
  readonly n?: boolean;
  readonly o?: string;
  readonly d?: boolean;
  readonly s: string;
  readonly t?: boolean;
}

/** A line: a tenant, or one of its processes. */
interface Line {
  readonly tenant: TopRow;
  /** The host's CPUs. */
  readonly cores: number;
  readonly process?: LiveProcess;
}

interface Column {
  readonly title: string;
  readonly text: (line: Line, options: PsOptions) => string | number | undefined;
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
const sum = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : Math.round((a + b) / 1024);

const columns: Readonly<Record<string, Column>> = {
  id: {
    title: 'ID',
    text: ({ tenant }, { n }) => (n === true ? undefined : accountOf(tenant)) ?? String(tenant.uid),
  },
  // Web servers report which requests they refuse, and not how many they serve.
  ep: { title: 'EP', text: () => undefined },
  com: { title: 'COM', text: ({ process }) => process?.name },
  pid: { title: 'PID', text: ({ process }) => process?.pid },
  // The first thread of a process has its pid; the others are not listed.
  tid: { title: 'TID', text: ({ process }) => process?.pid },
  pno: {
    title: 'PNO',
    text: ({ tenant, process }) => (process ? undefined : tenant.usage.processes),
  },
  tno: {
    title: 'TNO',
    text: ({ tenant, process }) => process?.threads ?? tenant.usage.threads,
  },
  cpu: { title: 'CPU', text: cpuOf },
  mem: {
    title: 'MEM',
    text: ({ tenant, process }) => megabytes(process?.memoryBytes ?? tenant.usage.memory),
  },
  io: { title: 'IO', text: ioOf },
  iops: {
    title: 'IOPS',
    text: ({ tenant, process }, { d }) =>
      process === undefined && d === true ? Math.round(tenant.usage.operations) : undefined,
  },
  // No public source says in which unit these two count.
  do: { title: 'DO', text: () => undefined },
  dt: { title: 'DT', text: () => undefined },
};

/**
 * Percent of all CPUs of a tenant with `-d`, seconds since its start of a process without it. The current share of a
 * process is not known, only its average since the start.
 */
function cpuOf({ tenant, process, cores }: Line, { d }: PsOptions): string | number | undefined {
  if (d !== true) return process?.cpuSeconds && Math.round(process.cpuSeconds);
  return process === undefined ? `${Math.round((tenant.usage.cpu / cores) * 100)}%` : undefined;
}

/** KB a second of a tenant with `-d`, KB of a process without it. */
function ioOf({ tenant, process }: Line, { d }: PsOptions): number | undefined {
  if (process !== undefined)
    return d === true ? undefined : sum(process.readBytes, process.writeBytes);
  return d === true ? sum(tenant.usage.read, tenant.usage.write) : undefined;
}

const sorts: Readonly<Record<string, (row: TopRow) => number>> = {
  cpu: ({ usage }) => usage.cpu,
  process: ({ usage }) => usage.processes,
  thread: ({ usage }) => usage.threads,
  mem: ({ usage }) => usage.memory,
  io: ({ usage }) => usage.total,
};

async function ps(options: PsOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const chosen = choiceOf(options);
  if (!chosen.ok) return refuse(chosen.error, exitCodes.usage);
  const lines = await linesOf(paths, options, chosen.value.weight);
  if (!lines.ok) return refuse(lines.error, exitCodes.failed);
  const shown = chosen.value.columns;
  const cells = lines.value.map((line) =>
    shown.map(({ text }) => printable(String(text(line, options) ?? '-'))),
  );
  const right = shown.flatMap(({ title }, index) => (['ID', 'COM'].includes(title) ? [] : [index]));
  print(table([shown.map(({ title }) => title), ...cells], right));
  return exitCodes.done;
}

function refuse(problem: Problem, code: ExitCode): ExitCode {
  printError(printable(formatProblem(problem)));
  return code;
}

interface Choice {
  readonly columns: readonly Column[];
  readonly weight: (row: TopRow) => number;
}

const perTenant = 'id,ep,pno,tno,cpu,mem,io';
const perProcess = 'id,pid,com,tno,cpu,mem,io';

function choiceOf({ p, o, s, t }: PsOptions): Result<Choice, Problem> {
  if (t === true)
    return failed({
      action: 'refresh',
      reason: 'the table is printed once',
      hint: 'see "bulkhead top"',
    });
  const weight = valueIn(sorts, s);
  if (weight === undefined) {
    const reason = `it is not one of ${Object.keys(sorts).join(', ')}`;
    return failed({ action: 'sort by', object: s, reason });
  }
  const shown: Column[] = [];
  // A width may follow each name; columns are as wide as they must be.
  for (const word of (o ?? (p === true ? perProcess : perTenant)).split(',')) {
    const column = valueIn(columns, word.replace(/:\d{1,3}$/, ''));
    if (column === undefined) {
      const reason = `there is no such column${suggestion(word, Object.keys(columns))}`;
      return failed({ action: 'show the column', object: word, reason });
    }
    shown.push(column);
  }
  return ok({ columns: shown, weight });
}

const valueIn = <T>(known: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(known, name) ? known[name] : undefined;

async function linesOf(
  paths: Paths,
  { p }: PsOptions,
  weight: (row: TopRow) => number,
): Promise<Result<readonly Line[], Problem>> {
  const ask = agentRequest(paths);
  const top = await ask<TopResponse>('/v1/top');
  if (!top.ok) return top;
  const tenants = top.value.rows
    .filter(({ kind, usage }) => kind === 'tenant' && usage.processes > 0)
    .toSorted((a, b) => weight(b) - weight(a) || a.uid - b.uid);
  const { cores } = top.value.host;
  if (p !== true) return ok(tenants.map((tenant) => ({ tenant, cores })));
  const lines: Line[] = [];
  for (const tenant of tenants) {
    const found = await ask<ProcessesResponse>(processesPath(String(tenant.uid)));
    if (!found.ok) return found;
    lines.push(...found.value.processes.map((process) => ({ tenant, process, cores })));
  }
  return ok(lines);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('-p', 'processes of each tenant')
      .option('-n', 'uids instead of account names')
      .option('-o <columns>', 'columns: id,ep,com,pid,tid,pno,tno,cpu,mem,io,iops,do,dt')
      .option('-d', 'CPU and IO of tenants now, CPU in percent of all CPUs; not of processes')
      .option('-c <seconds>', 'accepted and ignored: the agent measures over its own interval')
      .option('-r', 'accepted and ignored')
      .option('-s <column>', 'sort by cpu, process, thread, mem or io', 'cpu')
      .option('-t', 'not supported: see bulkhead top')
      .addHelpText('after', examples(['bulkhead lveps -d', ''], ['bulkhead lveps -p -n', '']))
      .action(run(ps));
  },
};
