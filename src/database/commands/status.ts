/** `bulkhead db status`: the servers, and what is seen of each. */
import type { Command } from 'commander';
import { capabilitiesOf } from '../../cli/capability.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { dateTime } from '../../cli/shared/format.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import { table } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { OwnDatabase } from '../../policy/databases/own-database.ts';
import type { Policy } from '../../policy/policy.ts';
import { databaseLimits } from '../core/database-limits.ts';
import { formatSeenBy, type SeenBy } from '../core/peers/seen-by.ts';
import { seenBy } from '../io/peers/record.ts';
import { readServers } from '../io/record-file.ts';
import type { DbStatusJson, DbStatusServerJson } from './json.ts';
import {
  liveCommand,
  noServers,
  policyOf,
  socketsFor,
  withServer,
  type LiveOptions,
} from './live.ts';
import { rootPaths } from './servers.ts';

async function status(options: LiveOptions, command: Command): Promise<ExitCode> {
  const paths = rootPaths(command, 'ask database servers');
  if (typeof paths === 'number') return paths;
  const recorded = readServers(paths);
  if (!recorded.ok) return failWith(recorded.error);
  const enabled = new Set(recorded.value.map(({ socket }) => socket));
  const policy = await policyOf(command, options, paths);
  const servers: DbStatusServerJson[] = [];
  for (const socket of socketsFor(options, policy, paths)) {
    const found = await withServer(socket, options, async ({ sight }) => {
      const { version, pid, missing } = sight;
      return { version, pid: pid ?? null, missing, ...seenByJson(seenBy(paths, pid)) };
    });
    const isEnabled = enabled.has(socket);
    const unseen = { version: null, pid: null, missing: [], seenBy: null, seenByReason: null };
    servers.push(
      typeof found === 'string'
        ? { socket, isEnabled, ...unseen, problem: found }
        : { socket, isEnabled, ...found, problem: null },
    );
  }
  const tenants = policy === undefined ? 0 : databaseLimits(policy).size;
  const own = await ownServers(command, paths, policy);
  const result: DbStatusJson = { servers, limitedTenants: tenants, ...own };
  if (options.json === true) printJson(result);
  else print(textOf(result));
  const isWhole = servers.every(({ problem }) => problem === null);
  return isWhole && (policy === undefined || own.ownProblem === null)
    ? exitCodes.done
    : exitCodes.failed;
}

const seenByJson = (seen: SeenBy) => ({
  seenBy: seen.by,
  seenByReason: seen.by === 'socket' ? null : seen.reason,
});

/** Asks everything that runs servers of tenants' own. */
async function ownServers(
  command: Command,
  paths: Paths,
  policy: Policy | undefined,
): Promise<Pick<DbStatusJson, 'own' | 'ownProblem'>> {
  if (policy === undefined) return { own: [], ownProblem: 'there is no valid policy' };
  const found: OwnDatabase[] = [];
  for (const { ownDatabases } of capabilitiesOf(command)) {
    const read = await (await ownDatabases?.())?.(paths, policy);
    if (read?.ok === false) return { own: [], ownProblem: formatProblem(read.error) };
    found.push(...(read?.value ?? []));
  }
  const own = found.map(({ reason = null, since = null, memoryBytes = null, ...rest }) => ({
    ...rest,
    reason,
    since,
    memoryBytes,
  }));
  return { own, ownProblem: null };
}

function textOf({ servers, limitedTenants, own, ownProblem }: DbStatusJson): string {
  const limits =
    limitedTenants === 0
      ? 'No tenant has a limit on database servers: set one with <database>, and the agent asks them.'
      : `Tenants with limits on database servers: ${limitedTenants}.`;
  return [
    ...(servers.length === 0 ? [noServers] : [...servers.flatMap(linesOf), limits]),
    ...(ownProblem === null ? [] : [`Servers of tenants' own: unknown: ${printable(ownProblem)}`]),
    ...(own.length === 0 ? [] : ["Servers of tenants' own:", ownTable(own)]),
  ].join('\n');
}

function ownTable(own: DbStatusJson['own']): string {
  const rows = own.map(({ tenant, state, reason, since, memoryBytes, socket }) => [
    printable(tenant),
    printable(reason === null ? state : `${state}: ${reason}`),
    since === null ? '?' : dateTime(since),
    memoryBytes === null ? '' : `${Math.round(memoryBytes / 2 ** 20)} MiB`,
    socket,
  ]);
  return table([['TENANT', 'STATE', 'SINCE', 'MEMORY', 'SOCKET'], ...rows]);
}

function linesOf(server: DbStatusServerJson) {
  const { socket, isEnabled, version, pid, missing, problem } = server;
  if (problem !== null) return [printable(socket), `  ${problem}`];
  const process = pid === null ? 'process unknown' : `pid ${pid}`;
  return [
    `${printable(socket)}: ${printable(version ?? '')}, ${process}`,
    isEnabled ? '  enabled' : '  not enabled: the agent does not ask it; run "bulkhead db enable"',
    ...(isEnabled ? [`  ${seenByText(server)}`] : []),
    ...missing.map((each) => `  not seen: ${printable(each)}`),
  ];
}

const seenByText = ({ seenBy: by, seenByReason: reason }: DbStatusServerJson) =>
  formatSeenBy(by === 'socket' ? { by } : { by: 'accounts', reason: reason ?? '' });

export const command = liveCommand(
  status,
  ['bulkhead db status', 'show the servers, and what Bulkhead sees of each'],
  ['bulkhead db status --json', 'the same for a program'],
);
