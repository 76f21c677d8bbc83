/** The opening lines of commands that show what hosts have told their centre. */
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { count, listSome } from '../../../../packages/base/list.ts';
import type { ExitCode } from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import type { FleetUnknown } from '../../core/told/fleet-incidents.ts';
import { overviewOf, type HostOverview, type ToldHost } from '../../core/told/host-overview.ts';
import { parseSnapshot, snapshotBytesMax } from '../../core/told/snapshot.ts';
import { parseStatus } from '../../core/told/status.ts';
import { centreSnapshot } from '../../../host/paths.ts';
import type { CentreStore, KnownHost } from '../../io/server/centre-store.ts';
import { openStore } from './open-store.ts';

export interface KnownHosts {
  readonly store: CentreStore;
  /** The hosts by their names. */
  readonly told: readonly ToldHost[];
  /** The same, as people see them now. */
  readonly hosts: readonly HostOverview[];
  /** The key of each host, with which it signs. */
  readonly keys: ReadonlyMap<string, string>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Runs `action` with all hosts that have told something; prints the reason if nothing is known. */
export async function withKnownHosts(
  directory: string,
  action: (known: KnownHosts) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const opened = await openStore(directory);
  if (!opened.ok) return failWith(opened.error);
  using store = opened.value;
  const known = store.hosts();
  if (!known.ok) return failWith(known.error);
  const heard = new Set(known.value.map(({ host }) => host));
  const missing = publishedHosts(directory).filter((host) => !heard.has(host));
  const told = [...known.value.map(toldBy), ...missing.map(neverHeard)];
  if (told.length === 0)
    return failWith({
      action: 'show the hosts of',
      object: directory,
      reason: 'no host has told anything yet',
      hint: '"bulkhead fleet server run" collects it',
    });
  told.sort((one, other) => (one.host < other.host ? -1 : 1));
  const now = Date.now();
  const keys = new Map(known.value.map(({ host, key }) => [host, key]));
  return await action({ store, keys, told, now, hosts: told.map((each) => overviewOf(each, now)) });
}

/** Returns the hosts of the published release, as the process of the centre has noted them. */
function publishedHosts(directory: string): readonly string[] {
  const read = readBounded(join(directory, centreSnapshot), snapshotBytesMax, { links: 'refuse' });
  const snapshot = read.ok ? parseSnapshot(decodeText(read.value)) : read;
  return snapshot.ok ? snapshot.value.hosts.map(({ host }) => host) : [];
}

const neverHeard = (host: string): ToldHost => ({
  host,
  status: undefined,
  receivedAt: 0,
  heard: '',
  refused: undefined,
  mark: undefined,
});

function toldBy(known: KnownHost): ToldHost {
  const status = parseStatus(known.status ?? '');
  const heard = new Date(known.receivedAt).toISOString();
  return { ...known, heard, status: status.ok ? status.value : undefined };
}

/** Returns the named hosts; undefined after the reason has been printed. All hosts if none is named. */
export function namedHosts(
  hosts: readonly HostOverview[],
  names: readonly string[],
): readonly HostOverview[] | undefined {
  const missing = names.find((name) => !hosts.some(({ host }) => host === name));
  if (missing === undefined)
    return names.length === 0 ? hosts : hosts.filter(({ host }) => names.includes(host));
  failWith({
    action: 'show the host',
    object: missing,
    reason: 'the centre does not know it',
    hint: '"bulkhead fleet server hosts" lists those that have told something',
  });
  return undefined;
}

/** Says in one line what is missing; empty if nothing is. */
export function unknownText({
  silent,
  notReceived,
  notCounted,
  lost,
  parts,
}: FleetUnknown): string {
  const of = (key: 'notReceived' | 'lost') =>
    listSome(parts.flatMap((each) => (each[key] > 0 ? [`${each.host}: ${each[key]}`] : [])));
  const counted = notCounted.filter((host) => !silent.includes(host));
  return [
    ...(silent.length > 0 ? [`${count(silent.length, 'host')} silent (${listSome(silent)})`] : []),
    ...(notReceived > 0
      ? [`${count(notReceived, 'event')} not yet received (${of('notReceived')})`]
      : []),
    ...(counted.length > 0 ? [`events of ${listSome(counted)} not counted`] : []),
    ...(lost > 0 ? [`${count(lost, 'event')} lost at hosts (${of('lost')})`] : []),
  ].join('; ');
}
