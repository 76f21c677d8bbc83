/**
 * Processes that listen where root's files say that a pool does, and are not that php-fpm's master. They get the pool's
 * requests, with the cookies of its visitors: any account may take a free port.
 */
import { formatAddress, sameAddress, type Address } from '../address.ts';

/** A process that holds a socket. */
export interface PortOwner {
  readonly pid: number;
  readonly uid: number;
  /** The path of its program; empty if that is not known. */
  readonly program: string;
}

/** A TCP socket that listens. */
export interface Port {
  readonly address: Address;
  /** The uid that made the socket. */
  readonly uid: number;
  /** Holders of the socket; none if no process in this /proc mount has it. */
  readonly holders: readonly PortOwner[];
}

export interface Stranger {
  /** The address at which it listens: `127.0.0.1:9001`, or `*:9001`. */
  readonly at: string;
  /** The uid that it runs as. */
  readonly uid: number;
  /** The name of the account, if there is one. */
  readonly user?: string;
  /** The process; absent if unknown. */
  readonly pid?: number;
  /** The program; absent if unknown. */
  readonly program?: string;
}

/**
 * Returns strangers at the address. `program` is the real path of the php-fpm whose master, started by root, should
 * listen there.
 */
export function strangersAt(
  address: Address,
  program: string,
  ports: readonly Port[],
  userOf: (uid: number) => string | undefined,
): readonly Stranger[] {
  return ports
    .filter((port) => sameAddress(port.address, address) && !isMasters(port, program))
    .map(({ address: at, uid, holders }) => {
      const holder = holders.find((each) => each.uid === uid) ?? holders[0];
      const user = userOf(uid);
      return {
        at: formatAddress(at),
        uid,
        ...(user !== undefined && { user }),
        ...(holder !== undefined && { pid: holder.pid }),
        ...(holder !== undefined && holder.program !== '' && { program: holder.program }),
      };
    });
}

/**
 * Whether the port is the master's. Workers inherit it and run the same program. If systemd holds it, root's files
 * decide for whom.
 */
function isMasters({ uid, holders }: Port, program: string): boolean {
  if (uid !== 0) return false;
  return holders.length === 0 || holders.some((each) => each.program === program || each.pid === 1);
}

/** `alice (uid 3101, process 4711, /usr/bin/perl) listens at 127.0.0.1:9001 in its place, and gets its requests`. */
export function strangerText({ at, uid, user, pid, program }: Stranger): string {
  const more = [pid === undefined ? [] : `process ${pid}`, program ?? []].flat();
  const who =
    user === undefined
      ? [`uid ${uid}`, ...(more.length === 0 ? [] : [`(${more.join(', ')})`])].join(' ')
      : `${user} (${[`uid ${uid}`, ...more].join(', ')})`;
  return `${who} listens at ${at} in its place, and gets its requests`;
}

export interface PoolStranger extends Stranger {
  /** The pool's name. */
  readonly pool: string;
}

export const poolStrangerText = ({ pool, ...stranger }: PoolStranger): string =>
  `Pool ${pool}: ${strangerText(stranger)}; end that process, then restart php-fpm`;
