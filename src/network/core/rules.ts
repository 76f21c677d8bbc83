/** The network rules of tenants: read from the policy, and put into the maps of `bpf/network.bpf.c`. */
import type { Listen, Reach } from '../../policy/network/reach.ts';

/** Limits of a tenant, or of a reseller for all its tenants together. Without an entry there is no limit. */
export interface NetworkLimits {
  /** IP bytes per second to other hosts. */
  readonly send?: number;
  /** IP bytes per second from other hosts. */
  readonly receive?: number;
  /** New TCP connections per second to other hosts. */
  readonly connections?: number;
}

export type {
  AddressRule,
  Listen,
  MailReach,
  PortRange,
  Reach,
} from '../../policy/network/reach.ts';

export interface TenantNetwork {
  readonly uid: number;
  readonly limits: NetworkLimits;
  /** The name of the reseller whose limits it shares, if that reseller has any. */
  readonly reseller?: string;
  /** Undefined: it reaches everything, and may listen as it likes. */
  readonly reach?: Reach;
  readonly listen?: Listen;
}

export interface NetworkRules {
  readonly tenants: readonly TenantNetwork[];
  /** The limits of resellers, by their names. */
  readonly resellers: ReadonlyMap<string, NetworkLimits>;
  /** Subordinate uids, inclusive, in ascending order and disjoint. */
  readonly ranges: readonly (readonly [first: number, last: number, tenant: number])[];
  /** Ports at which root's sockets serve a tenant, such as those of PHP-FPM pools: by port, the tenant's uid. */
  readonly servedPorts: ReadonlyMap<number, number>;
}
