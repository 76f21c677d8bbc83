/** The network rules of tenants: read from the policy, and put into the maps of `bpf/network.bpf.c`. */
/** Limits of a tenant, or of a reseller for all its tenants together. Without an entry there is no limit. */
export interface NetworkLimits {
  /** IP bytes per second to other hosts. */
  readonly send?: number;
  /** IP bytes per second from other hosts. */
  readonly receive?: number;
  /** New TCP connections per second to other hosts. */
  readonly connections?: number;
}

/**
 * Which mail servers a tenant reaches: all, all but port 25, port 25 of the host's own mail server in place of all others,
 * or none at the ports 25, 465 and 587 but the host's own.
 */
export type MailReach = 'anywhere' | 'submission' | 'relay' | 'local';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Allows or refuses addresses. The longest prefix decides, then `allow`. */
export interface AddressRule {
  readonly action: 'allow' | 'refuse';
  /** 4 or 16 bytes, without bits beyond `prefix`. */
  readonly address: Uint8Array;
  readonly prefix: number;
  /** All ports where empty. */
  readonly ports: readonly PortRange[];
  readonly protocol: 'tcp' | 'udp' | undefined;
}

export interface Reach {
  readonly mail: MailReach;
  /** Whether services that other tenants offer on this host can be reached. */
  readonly tenants: boolean;
  /** Whether metadata services of clouds and link-local addresses can be reached. */
  readonly metadata: boolean;
  readonly rules: readonly AddressRule[];
  /** Addresses without a rule. */
  readonly others: 'allow' | 'refuse';
  /** `watch`: nothing is refused, only reported. */
  readonly mode: 'refuse' | 'watch';
}

export interface Listen {
  /** Ports that are kept for the tenant: nobody else can bind them. */
  readonly ports: readonly PortRange[];
  /** Whether other hosts can connect to what the tenant opens. */
  readonly public: boolean;
  readonly mode: 'refuse' | 'watch';
}

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
