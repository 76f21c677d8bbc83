/** What the host knows that configurations name: accounts, tenants, who owns a path, who listens where. */
import type { Address } from './address.ts';
import type { Pool } from './fpm/pools.ts';
import type { Stranger } from './fpm/strangers.ts';

/** Who can change what is at a path. */
export interface PathOwners {
  /** Of the directories on the way, of links, and of where they lead to; the last is its own. */
  readonly uids: readonly number[];
  /** Whether others than these can write to it, or put something else there. */
  readonly writableByOthers: boolean;
}

/** A process that holds a listening socket. */
export interface Listener {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  /** The text of /proc/PID/cgroup. */
  readonly cgroups: string;
}

export interface Facts {
  /** The uid of an account, given by its name or in digits; nothing where there is none. */
  readonly uidOf: (user: string) => number | undefined;
  /** What an account is called, or `uid 1001`. */
  readonly nameOf: (uid: number) => string;
  readonly isTenant: (uid: number) => boolean;
  /** Nothing where the path cannot be read. */
  readonly ownersOf: (path: string) => PathOwners | undefined;
  readonly listenersAt: (address: Address) => readonly Listener[];
  /** Who listens where a pool is to, and is not its php-fpm. */
  readonly strangersOf?: (pool: Pool) => readonly Stranger[];
  /** For whose service systemd holds the socket, which it starts in the cgroup of that tenant. */
  readonly heldFor?: (address: Address) => number | undefined;
  /** Whether this process is in all cgroups of the tenant; nothing where the tenant has none. */
  readonly isInside: (uid: number, cgroups: string) => boolean | undefined;
  /** Whether an agent runs, which moves processes into their tenants' cgroups. */
  readonly agentRuns: boolean;
}
