/** `bulkhead fleet room`: which hosts have room for more tenants, from what they have told their centre. */
import { printable } from '../../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printJson } from '../../../cli/shared/output.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { compareRooms, fitOf, type HostFit } from '../../core/room.ts';
import { roomHostOf } from '../../core/told/host-overview.ts';
import { type DirectoryOptions, withCentreOptions } from '../shared-options.ts';
import { withKnownHosts } from '../servers/known-hosts.ts';
import type { FleetRoomJson } from './json.ts';

const room = ({ directory, json }: DirectoryOptions): Promise<ExitCode> =>
  withKnownHosts(directory, ({ told, now }) => {
    const hosts = told.map((each) => fitOf(roomHostOf(each, now))).sort(compareRooms);
    if (json === true) printJson({ hosts } satisfies FleetRoomJson);
    else print(roomTable(hosts));
    return exitCodes.done;
  });

function roomTable(hosts: readonly HostFit[]): string {
  const { colors } = terminalOf(process.stdout);
  const header = ['HOST', 'CPU p95', 'MEMORY p95', 'COMMITTED', 'ROOM', 'FITS'];
  return table([header.map(colors.dim), ...hosts.map(cells)], [1, 2, 3, 4]);
}

const cells = ({ host, cpu, memory, room: left, fits, why }: HostFit): readonly string[] => [
  host,
  partText(cpu.p95),
  partText(memory.p95),
  committedText(cpu.promised, memory.promised),
  partText(left),
  fits ? 'yes' : `no: ${printable(why ?? '')}`,
];

const partText = (part: number | null) => (part === null ? '?' : `${Math.round(part * 100)}%`);

/** Formats the higher of both. */
const committedText = (...parts: readonly (number | null)[]) => {
  const known = parts.filter((each) => each !== null);
  return known.length === parts.length ? `${Math.max(...known).toFixed(1)}x` : '?';
};

export const command: CommandModule = {
  define(command, run) {
    withCentreOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet room', 'hosts with the most room first'],
          ['bulkhead fleet room --json', 'for programs that place new accounts'],
        ),
      )
      .action(run(room));
  },
};
