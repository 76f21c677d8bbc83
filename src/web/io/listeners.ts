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
import { linkAt, namesIn, readText } from '../../../packages/base/io/read.ts';
import { linksOfOthers } from '../../sys/processes/links-of-others.ts';
import { statusValue } from '../../sys/processes/process-status.ts';

type ListenersAt = (address: Address) => readonly Listener[];

/** Reads only sockets at `wanted`. */
export function readListeners(proc: string, wanted: readonly Address[]): ListenersAt {
  const keys = new Set(wanted.map(addressKey));
  const sockets = listeningSockets(proc).filter(({ address }) => keys.has(addressKey(address)));
  if (sockets.length === 0) return () => [];
  const holders = processesWithSockets(proc, new Set(sockets.map(({ inode }) => inode)));
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
  const pids = new Set([...processesWithSockets(proc, new Set(inodes)).values()].flat());
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

/**
 * Returns processes by the inodes of sockets that they have open. Every account but root can make readers of its
 * processes wait for ever, which costs only that account.
 */
export function processesWithSockets(
  proc: string,
  inodes: ReadonlySet<string>,
): ReadonlyMap<string, readonly number[]> {
  const holders = new Map<string, number[]>();
  const add = (pid: string, link: string) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    if (inode === undefined || !inodes.has(inode)) return;
    const known = holders.get(inode);
    if (known === undefined) holders.set(inode, [Number(pid)]);
    else if (!known.includes(Number(pid))) known.push(Number(pid));
  };
  const pids = namesIn(proc).filter((name) => /^\d+$/.test(name));
  const byUid = Map.groupBy(pids, (pid) => uidOf(proc, pid));
  const own = [byUid.get('') ?? [], byUid.get('0') ?? []].flat();
  for (const pid of own)
    for (const fd of namesIn(`${proc}/${pid}/fd`)) add(pid, linkAt(`${proc}/${pid}/fd/${fd}`));
  byUid.delete('');
  byUid.delete('0');
  const links = linksOfOthers(proc, byUid.values(), 'fd', ['-lname', 'socket:*']);
  for (const { pid, target } of links) add(pid, target);
  return holders;
}

/** Returns the real uid; empty if the process has ended. */
const uidOf = (proc: string, pid: string): string =>
  (statusValue(readText(`${proc}/${pid}/status`) ?? '', 'Uid') ?? '').split('\t')[0] ?? '';

/** Returns nothing if the process has ended. */
export function listenerOf(proc: string, pid: number): Listener | undefined {
  const status = readText(`${proc}/${pid}/status`);
  const cgroups = readText(`${proc}/${pid}/cgroup`);
  if (status === undefined || cgroups === undefined) return undefined;
  const [, effective = ''] = (statusValue(status, 'Uid') ?? '').split('\t');
  return { pid, ppid: Number(statusValue(status, 'PPid')), uid: Number(effective), cgroups };
}
