/**
 * The processes that hold the sockets to which web servers pass requests: the master that listens, and the
 * workers that it has forked. They are found by the sockets themselves, since a process chooses its name and
 * its arguments.
 */
import { pathOfBound } from '../core/fpm/service/listen.ts';
import { addressKey, sameAddress, type Address } from '../core/address.ts';
import type { Listener } from '../core/facts.ts';
import {
  parseTcpSockets,
  parseUnixConnections,
  parseUnixSockets,
  type ListeningSocket,
} from '../core/listening.ts';
import { linkAt, namesIn, readText } from '../../sys/files/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';

type ListenersAt = (address: Address) => readonly Listener[];

/** Reads only sockets at `wanted`. */
export function readListeners(proc: string, wanted: readonly Address[]): ListenersAt {
  const keys = new Set(wanted.map(addressKey));
  const sockets = listeningSockets(proc).filter(({ address }) => keys.has(addressKey(address)));
  if (sockets.length === 0) return () => [];
  const holders = holdersOf(proc, new Set(sockets.map(({ inode }) => inode)));
  const byKey = Map.groupBy(sockets, ({ address }) => addressKey(address));
  return (address) => {
    const pids = new Set<number>();
    for (const socket of byKey.get(addressKey(address)) ?? [])
      if (sameAddress(socket.address, address))
        for (const pid of holders.get(socket.inode) ?? []) pids.add(pid);
    return [...pids].flatMap((pid) => listenerOf(proc, pid) ?? []);
  };
}

/** Returns the processes that hold a connection accepted at one of these paths. */
export function readConnections(proc: string, paths: ReadonlySet<string>): readonly Listener[] {
  const inodes = parseUnixConnections(readText(`${proc}/net/unix`) ?? '', paths);
  if (inodes.length === 0) return [];
  const pids = new Set([...holdersOf(proc, new Set(inodes)).values()].flat());
  return [...pids].flatMap((pid) => listenerOf(proc, pid) ?? []);
}

function listeningSockets(proc: string): readonly ListeningSocket[] {
  const text = (file: string) => readText(`${proc}/net/${file}`) ?? '';
  return [
    ...parseUnixSockets(text('unix')).flatMap(withPath),
    ...parseTcpSockets(text('tcp')),
    ...parseTcpSockets(text('tcp6')),
  ];
}

/** Adds the path at which a socket of a tenant's service is found: it is bound next to that path. */
function withPath(socket: ListeningSocket): readonly ListeningSocket[] {
  if (socket.address.kind !== 'unix') return [socket];
  const path = pathOfBound(socket.address.path);
  if (path === socket.address.path) return [socket];
  return [socket, { ...socket, address: { kind: 'unix', path } }];
}

/** The limit for all processes together. If the host has more open files, the rest are left out. */
const filesMax = 5_000_000;

/** Processes by the inodes of sockets that they have open. */
export function holdersOf(
  proc: string,
  inodes: ReadonlySet<string>,
): ReadonlyMap<string, readonly number[]> {
  const holders = new Map<string, number[]>();
  let files = 0;
  for (const pid of namesIn(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of namesIn(`${proc}/${pid}/fd`)) {
      if (++files > filesMax) return holders;
      const inode = /^socket:\[(\d+)\]$/.exec(linkAt(`${proc}/${pid}/fd/${fd}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const known = holders.get(inode);
      if (known === undefined) holders.set(inode, [Number(pid)]);
      else known.push(Number(pid));
    }
  }
  return holders;
}

/** Returns nothing if the process has ended. */
export function listenerOf(proc: string, pid: number): Listener | undefined {
  const status = readText(`${proc}/${pid}/status`);
  const cgroups = readText(`${proc}/${pid}/cgroup`);
  if (status === undefined || cgroups === undefined) return undefined;
  const [, effective = ''] = (statusValue(status, 'Uid') ?? '').split('\t');
  return { pid, ppid: Number(statusValue(status, 'PPid')), uid: Number(effective), cgroups };
}
