/** `bulkhead fleet room`: which hosts have room for more tenants, from what they have told their centre. */
import { printable } from '../../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { compareRooms, fitOf, type HostFit } from '../../core/room.ts';
import { roomHostOf } from '../../core/told/host-overview.ts';
import { withKnownHosts, type KnownHosts } from '../servers/known-hosts.ts';
import { withCentreOptions, type DirectoryOptions } from '../shared-options.ts';
import { credentialOption, withAnswers } from './ask-fleet.ts';
import type { FleetRoomJson } from './json.ts';
import {
  likeMetrics,
  likeSeconds,
  likeTenant,
  packageFits,
  parseLike,
  type LikeTenant,
} from './room-need.ts';

interface RoomOptions extends DirectoryOptions {
  readonly package?: string;
  readonly like?: string;
  readonly release: string;
  readonly credential: string;
}

function room(options: RoomOptions): Promise<ExitCode> {
  const { like: text } = options;
  if (text === undefined)
    return withKnownHosts(options.directory, (known) => show(known, options, undefined));
  const { tenant, host } = parseLike(text);
  const names = host === undefined ? [] : [host];
  const question = { seconds: likeSeconds, metrics: likeMetrics, tenant, count: 1 };
  return withAnswers(options, names, question, ({ answers, known }) => {
    const like = likeTenant(tenant, answers);
    if (!like.ok)
      return failWith({ action: 'find room for a tenant like', object: text, ...like.error });
    return show(known, options, like.value);
  });
}

function show(
  { told, now }: KnownHosts,
  { package: name, release, json }: RoomOptions,
  like: LikeTenant | undefined,
): ExitCode {
  const known = told.map((each) => roomHostOf(each, now));
  const fits =
    name === undefined
      ? ({ ok: true, value: known.map((each) => fitOf(each, like?.need)) } as const)
      : packageFits(known, { name, release, like });
  if (!fits.ok)
    return failWith({ action: 'find room for the package', object: name, ...fits.error });
  const hosts = fits.value.toSorted(compareRooms);
  const rooms = new Map(known.map((each) => [each.host, each.room]));
  const shown: FleetRoomJson = {
    at: now,
    ...(name !== undefined && { package: name }),
    ...(like !== undefined && { like }),
    hosts: hosts.map((each) => ({ ...each, told: rooms.get(each.host) ?? null })),
  };
  if (json === true) printJson(shown);
  else print(roomTable(hosts, name !== undefined || like !== undefined));
  return exitCodes.done;
}

/** `isFor`: whether it is the room for a tenant that was named. */
function roomTable(hosts: readonly HostFit[], isFor: boolean): string {
  const { colors } = terminalOf(process.stdout);
  const header = ['HOST', 'CPU p95', 'MEMORY p95', 'COMMITTED', isFor ? 'AFTER' : 'ROOM', 'FITS'];
  const rows = hosts.map(({ host, cpu, memory, ...fit }) => [
    host,
    partText(cpu.p95),
    partText(memory.p95),
    committedText(cpu.promised, memory.promised),
    partText(isFor ? fit.after : fit.room),
    fitText(fit),
  ]);
  return table([header.map(colors.dim), ...rows], [1, 2, 3, 4]);
}

const fitText = ({ fits, why }: Pick<HostFit, 'fits' | 'why'>): string =>
  fits === true ? 'yes' : `${fits === null ? 'unknown' : 'no'}: ${printable(why ?? '')}`;

const partText = (part: number | null) => (part === null ? '?' : `${percent(part)}%`);
/** A host that says more of itself is not worth more space. */
const percent = (part: number) => (part > 10 ? '>1000' : `${Math.round(part * 100)}`);

const committedMax = 1000;

/** Formats the higher of both. */
function committedText(...parts: readonly (number | null)[]): string {
  const known = parts.filter((each) => each !== null);
  if (known.length < parts.length) return '?';
  const most = Math.max(...known);
  return most > committedMax ? `>${committedMax}x` : `${most.toFixed(1)}x`;
}

export const command: CommandModule = {
  define(command, run) {
    withCentreOptions(command)
      .option('--package <name>', 'for one more tenant of this package')
      .option(
        '--like <tenant[@host]>',
        'for one more tenant that uses what this one used in the last 7 days; its host is asked',
      )
      .option(
        '--release <directory>',
        'what "bulkhead fleet publish" has written, for --package',
        '/srv/fleet',
      )
      .addOption(credentialOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet room', 'hosts with the most room first'],
          ['bulkhead fleet room --package business', 'for a new account of a package'],
          ['bulkhead fleet room --like alice@web-017 --json > room.json', 'for "fleet move"'],
        ),
      )
      .action(run(room));
  },
};
