/** The values that `network` commands print with `--json`. Their schemas are generated from these types. */
import type { Decision } from '../core/decide.ts';
import type { HeldPart } from '../core/held.ts';
import type { NetworkRefusalKind } from '../core/use.ts';

/** `bulkhead network status` */
export interface NetworkStatusJson {
  /** Whether the policy has anything about the network. */
  readonly isWanted: boolean;
  /** Whether programs are loaded. */
  readonly isLoaded: boolean;
  /** Why the programs cannot be relied on; null if they were tried just now, or none are wanted. */
  readonly problem: string | null;
  /** The parts of the policy, and how exactly each is held. */
  readonly parts: readonly HeldPart[];
  /** The devices that lead out, and how exactly sending waits there; none without a limit on sending. */
  readonly devices: readonly NetworkDeviceJson[];
  /** The tenants that are counted. */
  readonly tenants: number;
  /** The refusals of `<reach>` since the programs were loaded, also those that were only reported. */
  readonly reported: number;
  /** Notes on the host. */
  readonly remarks: readonly string[];
}

/** A device that leads out. */
export interface NetworkDeviceJson {
  /** The name of the device. */
  readonly device: string;
  /** How exactly sending waits there. */
  readonly support: 'full' | 'partial' | 'none';
  /** The reason, in one line. */
  readonly reason: string;
}

/** `bulkhead network test` */
export interface NetworkTestJson {
  /** The tenant's name. */
  readonly tenant: string;
  readonly uid: number;
  /** The host as it was written; empty for a port that the tenant itself opens. */
  readonly host: string;
  /** The port of the host. */
  readonly port: number;
  /** The protocol. */
  readonly protocol: 'tcp' | 'udp';
  /** The policy, to which lines refer. */
  readonly file: string;
  /** The addresses of the host, each of which is decided by itself. */
  readonly addresses: readonly TestedAddressJson[];
  /** The decisions about a port that the tenant itself opens; absent for a host. */
  readonly opened?: readonly TestedPortJson[];
}

/** A decision about a port that the tenant itself opens. */
export interface TestedPortJson {
  /** `open`: whether it may open the port; `public`: whether other hosts may connect to it by TCP. */
  readonly question: 'open' | 'public';
  /** `reported`: it is only watched. */
  readonly outcome: Decision['outcome'];
  /** The kind of the refusal, as incidents name it; absent if it is allowed. */
  readonly kind?: NetworkRefusalKind;
  /** The attribute that decides; absent if none is against it. */
  readonly by?: string;
  /** The line of it. */
  readonly line?: number;
  /** The file of the line, if it is not the policy's own. */
  readonly lineFile?: string;
}

/** An address, and whether the tenant may connect there. */
export interface TestedAddressJson {
  /** The address. */
  readonly address: string;
  /** `reported`: it is only watched; `relayed`: it leads to the mail server of this host. */
  readonly outcome: Decision['outcome'];
  /** The kind of the refusal, as incidents name it; absent if it is allowed. */
  readonly kind?: NetworkRefusalKind;
  /** The attribute or the rule that decides; absent if none is about it. */
  readonly by?: string;
  /** The line of it. */
  readonly line?: number;
  /** The file of the line, if it is not the policy's own. */
  readonly lineFile?: string;
  /** The tenant that listens there, or is served there, on this host. */
  readonly listener?: string;
}

/** `bulkhead network connections` */
export interface NetworkConnectionsJson {
  /** The tenant, as it was named. */
  readonly tenant: string;
  /** The connections, those that listen first. */
  readonly connections: readonly NetworkConnectionJson[];
  /** The connections that are left out. */
  readonly more: number;
}

/** A socket of a tenant. */
export interface NetworkConnectionJson {
  /** The protocol. */
  readonly protocol: 'tcp' | 'udp';
  /** The state, as the kernel names it: `ESTABLISHED`, `LISTEN`. */
  readonly state: string;
  /** Its own address. */
  readonly address: string;
  /** Its own port. */
  readonly port: number;
  /** The other address; empty if it has none. */
  readonly peer: string;
  /** The other port; 0 if it has none. */
  readonly peerPort: number;
  /** The account that opened it. */
  readonly uid: number;
}
