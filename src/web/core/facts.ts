/** Facts of the host that configurations refer to: accounts, tenants, path owners, and listeners. */
import type { Address } from './address.ts';
import type { Stranger } from './fpm/strangers.ts';

/** The accounts that can change what is at a path. */
export interface PathOwners {
  /**
   * Owners of the directories and links on the way, and of their targets. The last one is the owner of the
   * path itself.
   */
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

export interface AccountFacts {
  /** Returns the uid of an account, given by name or in digits, if there is one. */
  readonly uidOf: (user: string) => number | undefined;
  /** Returns the name of an account, or `uid 1001`. */
  readonly nameOf: (uid: number) => string;
  readonly isTenant: (uid: number) => boolean;
  /** Returns nothing if the path cannot be read. */
  readonly ownersOf: (path: string) => PathOwners | undefined;
  readonly listenersAt: (address: Address) => readonly Listener[];
  /** Returns listeners at the pool's address that are not its php-fpm. */
  readonly strangersOf?: (pool: {
    readonly php: string;
    readonly address?: Address | undefined;
  }) => readonly Stranger[];
  /**
   * Returns the tenant for whose service systemd holds the socket, if there is one. systemd starts that
   * service in the tenant's cgroup.
   */
  readonly heldFor?: (address: Address) => number | undefined;
  /** Whether this process is in all cgroups of the tenant; undefined if the tenant has none. */
  readonly isInside: (uid: number, cgroups: string) => boolean | undefined;
  /** Whether Apache calls bulkhead-suexec, which starts programs in their tenants' cgroups. */
  readonly placesSuexec?: boolean;
  /** Whether an agent runs, which moves processes into their tenants' cgroups. */
  readonly agentRuns: boolean;
}
