/** Listening TCP sockets at the addresses of pools, and the processes that hold them. */
import { readText } from '../../../packages/base/io/read.ts';
import { programOfOther } from '../../sys/processes/program-of.ts';
import { addressKey, type Address } from '../core/address.ts';
import type { Port } from '../core/fpm/strangers.ts';
import { parseTcpSockets } from '../core/listening.ts';
import { processesWithSockets, listenerOf } from './listeners.ts';

/**
 * Returns sockets with the port of one of these addresses. Unix sockets are left out, since nobody else can take
 * them.
 */
export function readPorts(proc: string, wanted: readonly Address[]): readonly Port[] {
  const keys = new Set(wanted.flatMap((each) => (each.kind === 'tcp' ? addressKey(each) : [])));
  if (keys.size === 0) return [];
  const sockets = ['tcp', 'tcp6']
    .flatMap((file) => parseTcpSockets(readText(`${proc}/net/${file}`) ?? ''))
    .filter(({ address }) => keys.has(addressKey(address)));
  if (sockets.length === 0) return [];
  const holders = processesWithSockets(proc, new Set(sockets.map(({ inode }) => inode)));
  return sockets.map(({ address, uid, inode }) => ({
    address,
    uid,
    holders: (holders.get(inode) ?? []).flatMap((pid) => {
      const found = listenerOf(proc, pid);
      return found === undefined ? [] : [{ pid, uid: found.uid, program: programOfOther(pid) }];
    }),
  }));
}
