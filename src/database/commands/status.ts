/** `bulkhead db status`: the servers, and what is seen of each. */
import type { Command } from 'commander';
import type { ExitCode } from '../../cli/shared/command.ts';
import { failWith } from '../../cli/shared/output.ts';
import { printable } from '../../../packages/base/printable.ts';
import { databaseLimits } from '../core/database-limits.ts';
import { readServers } from '../io/record-file.ts';
import type { DbStatusJson, DbStatusServerJson } from './json.ts';
import {
  liveCommand,
  policyOf,
  showLive,
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
      return { version, pid: pid ?? null, missing };
    });
    const isEnabled = enabled.has(socket);
    const unseen = { version: null, pid: null, missing: [] };
    servers.push(
      typeof found === 'string'
        ? { socket, isEnabled, ...unseen, problem: found }
        : { socket, isEnabled, ...found, problem: null },
    );
  }
  const tenants = policy === undefined ? 0 : databaseLimits(policy).size;
  return showLive(options, { servers, limitedTenants: tenants }, textOf);
}

function textOf({ servers, limitedTenants }: DbStatusJson): string {
  const limits =
    limitedTenants === 0
      ? 'No tenant has a limit on database servers: set one with <database>, and the agent asks them.'
      : `Tenants with limits on database servers: ${limitedTenants}.`;
  return [...servers.flatMap(linesOf), limits].join('\n');
}

function linesOf({ socket, isEnabled, version, pid, missing, problem }: DbStatusServerJson) {
  if (problem !== null) return [printable(socket), `  ${problem}`];
  const process = pid === null ? 'process unknown' : `pid ${pid}`;
  return [
    `${printable(socket)}: ${printable(version ?? '')}, ${process}`,
    isEnabled ? '  enabled' : '  not enabled: the agent does not ask it; run "bulkhead db enable"',
    ...missing.map((each) => `  not seen: ${printable(each)}`),
  ];
}

export const command = liveCommand(
  status,
  ['bulkhead db status', 'show the servers, and what Bulkhead sees of each'],
  ['bulkhead db status --json', 'the same for a program'],
);
