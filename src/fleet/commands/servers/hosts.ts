/** `bulkhead fleet server hosts`: what the hosts of a fleet have told their centre. */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printJson } from '../../../cli/shared/output.ts';
import type { HostOverview } from '../../core/told/host-overview.ts';
import type { FleetServerHostsJson } from '../json.ts';
import { type DirectoryOptions, withCentreOptions } from '../shared-options.ts';
import { withKnownHosts } from './known-hosts.ts';

const hosts = ({ directory, json }: DirectoryOptions): Promise<ExitCode> =>
  withKnownHosts(directory, ({ hosts: all }) => {
    if (json === true) printJson({ hosts: all } satisfies FleetServerHostsJson);
    else print(textOf(all));
    return exitCodes.done;
  });

const columns: readonly (readonly [string, (host: HostOverview) => string])[] = [
  ['HOST', ({ host }) => host],
  ['STATE', ({ state }) => state],
  ['GEN', ({ generation }) => numberText(generation, '-')],
  ['TENANTS', ({ tenants }) => numberText(tenants)],
  ['FAULTS 24h', ({ faults24h }) => numberText(faults24h)],
  ['OUTSIDE', ({ outside }) => numberText(outside)],
  ['ROOM', ({ room }) => (room === null ? '?' : `${Math.round(room * 100)}%`)],
  ['BEHIND', ({ behind }) => numberText(behind)],
  ['WHY', whyText],
];

const numberText = (value: number | null, unknown = '?') => (value === null ? unknown : `${value}`);

function whyText({ state, heard, lost, why }: HostOverview): string {
  return [
    ...(state === 'silent' ? [`last heard ${heard ?? 'never'}`] : []),
    ...(lost > 0 ? [`${count(lost, 'event')} lost at the host`] : []),
    ...(why === null ? [] : [why]),
  ].join('; ');
}

/** The counts of all states first, then a line a host. */
function textOf(all: readonly HostOverview[]): string {
  const states = new Map<string, number>();
  for (const { state } of all) states.set(state, (states.get(state) ?? 0) + 1);
  const counts = [...states].map(([state, number]) => `${number} ${state}`).join(', ');
  const rows = [
    columns.map(([title]) => title),
    ...all.map((host) => columns.map(([, textOfColumn]) => printable(textOfColumn(host)))),
  ];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [`${count(all.length, 'host')}: ${counts}`, ...lines].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    withCentreOptions(command)
      .addHelpText('after', examples(['bulkhead fleet server hosts', 'a line a host']))
      .action(run(hosts));
  },
};
