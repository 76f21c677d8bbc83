/** `bulkhead lve-read-snapshot`: the processes of a tenant when it hit its limits. */
import type { Command } from 'commander';
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { IncidentResponse, IncidentsResponse } from '../../../agent/api/api.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { agentRequest, type AgentRequest } from '../../../cli/shared/agent-request.ts';
import type { Period } from '../../../cli/shared/period.ts';
import { processTable } from '../../../cli/shared/process-table.ts';
import { pathsFor, printError } from '../../../cli/shared/session.ts';
import { writeOut } from '../../../cli/shared/write-out.ts';
import type { LveReadSnapshotJson, SnapshotOfIncident } from '../json.ts';
import { parseLvePeriod } from '../lve-period.ts';

interface SnapshotOptions {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly period?: string;
  readonly timestamp?: string;
  readonly id?: string;
  readonly user?: string;
  readonly list?: boolean;
  readonly output?: string;
  readonly json?: boolean;
  readonly stats?: boolean;
  readonly unit?: string;
}

/** The maximum number of incidents that the agent lists. Those with snapshots are one request each. */
const incidentsMax = 1000;

async function snapshots(options: SnapshotOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const asked = askedOf(options);
  if (!asked.ok) return refuse(asked.error, options, exitCodes.usage);
  const found = await read(agentRequest(paths, options), asked.value);
  if (!found.ok) return refuse(found.error, options, exitCodes.failed);
  if (found.value.isCut && options.json !== true) printError(cutNote);
  const text = options.json === true ? jsonText(found.value, options) : plain(found.value, options);
  const { output } = options;
  return writeOut(text, output === undefined ? {} : { output, force: true });
}

function refuse(problem: Problem, { json }: SnapshotOptions, code: ExitCode): ExitCode {
  const message = printable(formatProblem(problem));
  if (json !== true) {
    printError(message);
    return code;
  }
  const reply: LveReadSnapshotJson = { success: 0, message, snapshots: [] };
  process.stdout.write(`${JSON.stringify(reply)}\n`);
  return code;
}

interface Asked {
  readonly tenant: string;
  readonly period: Period;
  readonly at: number | undefined;
}

function askedOf(options: SnapshotOptions): Result<Asked, Problem> {
  const { user, id, timestamp, stats, unit } = options;
  if (stats === true || unit !== undefined) {
    const reason = 'this command shows snapshots';
    return failed({ action: 'show statistics', reason, hint: 'see "bulkhead faults"' });
  }
  const tenant = user ?? id;
  if (tenant === undefined)
    return failed({ action: 'read snapshots', reason: 'no tenant is named', hint: 'add -u or -i' });
  if (timestamp !== undefined && !/^\d{1,10}$/.test(timestamp))
    return failed({
      action: 'use the time',
      object: timestamp,
      reason: 'it is not seconds since 1970',
    });
  if (timestamp !== undefined) {
    const at = Number(timestamp) * 1000;
    // An incident may have begun long before its last snapshot.
    return ok({ tenant, at, period: { from: at - day, to: at + 1000 } });
  }
  const [from, to] = [options.from?.join(' '), options.to?.join(' ')];
  const given = {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(options.period !== undefined && { period: options.period }),
  };
  const period = parseLvePeriod(given, Date.now());
  return period.ok ? ok({ tenant, period: period.value, at: undefined }) : period;
}

const day = 86_400_000;

interface Snapshots {
  readonly found: readonly SnapshotOfIncident[];
  /** Whether the period has more incidents than the agent lists. */
  readonly isCut: boolean;
}

const cutNote = `only the latest ${incidentsMax} incidents were read; use a shorter period for the others`;

async function read(
  ask: AgentRequest,
  { tenant, period: { from, to }, at }: Asked,
): Promise<Result<Snapshots, Problem>> {
  const query = { from, to, tenant, count: incidentsMax };
  const listed = await ask<IncidentsResponse>('/v1/incidents', query);
  if (!listed.ok) return listed;
  const found: SnapshotOfIncident[] = [];
  const { incidents, total } = listed.value;
  for (const { id } of incidents.filter(({ snapshots: kept }) => kept > 0)) {
    const incident = await ask<IncidentResponse>(`/v1/incidents/${id}`);
    if (incident.ok) found.push(...snapshotsOf(incident.value));
    // It was deleted after it had been listed.
    else if (incident.error.status !== 404) return incident;
  }
  const isAsked = ({ timestamp }: SnapshotOfIncident) =>
    at === undefined
      ? timestamp * 1000 >= from - 1000 && timestamp * 1000 <= to
      : timestamp === at / 1000;
  return ok({
    found: found.filter(isAsked).toSorted((a, b) => a.timestamp - b.timestamp),
    isCut: total > incidents.length,
  });
}

const snapshotsOf = ({ who, limit, faults, evidence }: IncidentResponse) =>
  evidence.map(({ at, processes, processCount }): SnapshotOfIncident => ({
    timestamp: Math.floor(at / 1000),
    uid: who.uid,
    limit,
    faults,
    processes,
    processCount,
  }));

/** The times of snapshots, each once: several limits may be hit at a time. */
const timesOf = (found: readonly SnapshotOfIncident[]) => [
  ...new Set(found.map(({ timestamp }) => timestamp)),
];

function jsonText({ found, isCut }: Snapshots, { list }: SnapshotOptions): string {
  const cut = isCut ? { incomplete: true as const } : {};
  const reply: LveReadSnapshotJson =
    list === true
      ? { success: 1, ...cut, timestamps: timesOf(found) }
      : { success: 1, ...cut, snapshots: found };
  return `${JSON.stringify(reply)}\n`;
}

function plain({ found }: Snapshots, { list }: SnapshotOptions): string {
  if (list === true)
    return timesOf(found)
      .map((time) => `${time}\n`)
      .join('');
  if (found.length === 0) return 'No snapshots in this period\n';
  return `${found.map(snapshotText).join('\n\n')}\n`;
}

function snapshotText(snapshot: SnapshotOfIncident): string {
  const { timestamp, uid, limit, faults, processes, processCount } = snapshot;
  const time = new Date(timestamp * 1000).toISOString();
  const more = processCount - processes.length;
  return [
    `>>> ${time}, ${timestamp}, UID ${uid}`,
    `Faults: ${limit} ${faults} in this incident`,
    'Processes:',
    processTable(processes, undefined),
    ...(more > 0 ? [`… and ${more} more, which use less`] : []),
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option(
        '-f, --from <moment...>',
        'start, such as 2026-01-31 18:30 (default: ten minutes ago)',
      )
      .option('-t, --to <moment...>', 'end (default: now)')
      .option('-p, --period <length>', 'until now: 5m, 4h, 2d, today; or yesterday')
      .option('--timestamp <seconds>', 'one snapshot, by its time in seconds since 1970')
      .option('-i, --id <uid>', 'the tenant, by uid')
      .option('-u, --user <name>', 'the tenant, by account')
      .option('-l, --list', 'only the times of snapshots')
      .option('-o, --output <file>', 'write it to this file')
      .option('-j, --json', "print JSON; the fields are Bulkhead's")
      .option('--stats', 'not supported: see bulkhead faults')
      .option('--unit <unit>', 'the same')
      .addHelpText(
        'after',
        examples(
          ['bulkhead lve-read-snapshot -u alice --period 1d', ''],
          ['bulkhead lve-read-snapshot -i 1001 --period today --list', ''],
        ),
      )
      .action(run(snapshots));
  },
};
