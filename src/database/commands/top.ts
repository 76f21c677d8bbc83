/** `bulkhead db top`: what each tenant uses of database servers now. */
import type { Command } from 'commander';
import type { ExitCode } from '../../cli/shared/command.ts';
import { table } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { ShownAccount, ShownUse } from '../core/use/shown.ts';
import type { DbTopJson, DbTopRowJson, DbTopServerJson } from './json.ts';
import {
  percent,
  liveCommand,
  policyOf,
  showLive,
  socketsFor,
  tenantNames,
  useDuring,
  withServer,
  type LiveOptions,
} from './live.ts';
import { rootPaths } from './servers.ts';

const periodMilliseconds = 1000;
const rowsMax = 40;

async function top(options: LiveOptions, command: Command): Promise<ExitCode> {
  const paths = rootPaths(command, 'ask database servers');
  if (typeof paths === 'number') return paths;
  const policy = await policyOf(command, options, paths);
  const tenantOf = tenantNames(policy, paths);
  const servers = await Promise.all(
    socketsFor(options, policy, paths).map(async (socket): Promise<DbTopServerJson> => {
      const use = await withServer(socket, options, (server) =>
        useDuring(server, periodMilliseconds),
      );
      if (typeof use === 'string') return { socket, rows: [], serverItself: null, problem: use };
      const rows = rowsOf(use, (account) => tenantOf(account, socket));
      return { socket, rows, serverItself: use.serverItself ?? null, problem: null };
    }),
  );
  const result: DbTopJson = { servers };
  return showLive(options, result, () => servers.map(textOf).join('\n\n'));
}

/** Sums up the accounts of each tenant; accounts of nobody have a row each. */
function rowsOf(
  { accounts }: ShownUse,
  tenantOf: (account: string) => string | undefined,
): readonly DbTopRowJson[] {
  const groups = Map.groupBy(accounts, ({ account }) => {
    const tenant = tenantOf(account);
    return tenant === undefined ? `account ${account}` : `tenant ${tenant}`;
  });
  return [...groups.values()]
    .map((own) => rowOf(own, tenantOf(own[0]?.account ?? '')))
    .toSorted((a, b) => (b.cpuFraction ?? 0) - (a.cpuFraction ?? 0));
}

function rowOf(own: readonly ShownAccount[], tenant: string | undefined): DbTopRowJson {
  const sum = (field: 'cpuFraction' | 'connections' | 'running') =>
    own.some((each) => each[field] === undefined)
      ? null
      : own.reduce((all, each) => all + (each[field] ?? 0), 0);
  return {
    tenant: tenant ?? null,
    account: tenant === undefined ? (own[0]?.account ?? '') : null,
    cpuFraction: sum('cpuFraction'),
    connections: sum('connections'),
    running: sum('running'),
  };
}

function textOf({ socket, rows, serverItself, problem }: DbTopServerJson): string {
  if (problem !== null) return `${printable(socket)}\n  ${problem}`;
  const lines = rows
    .slice(0, rowsMax)
    .map(({ tenant, account, ...row }) => [
      tenant ?? `${printable(account ?? '')} (no tenant)`,
      percent(row.cpuFraction ?? undefined),
      String(row.connections ?? '?'),
      String(row.running ?? '?'),
    ]);
  const own = ['(server itself)', percent(serverItself ?? undefined), '', ''];
  const rest = rows.length - rowsMax;
  const uncounted = rows.some(({ cpuFraction }) => cpuFraction === null)
    ? '\nThe server does not count what accounts use: run "bulkhead db enable"'
    : '';
  const more = rows.some(({ connections }) => connections === null)
    ? '\nThe server has more than the first 10,000 connections, so their numbers are unknown'
    : '';
  return [
    printable(socket),
    table([['TENANT', 'CPU', 'CONNECTIONS', 'RUNNING'], ...lines, own], [1, 2, 3]) +
      uncounted +
      more,
    ...(rest > 0 ? [`and ${rest} more; --json shows all`] : []),
  ].join('\n');
}

export const command = liveCommand(
  top,
  ['bulkhead db top', 'show CPU time of one second, and connections'],
  ['watch bulkhead db top', 'the same, again and again'],
);
