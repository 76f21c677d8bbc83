/** The use of the network by tenants, and what was refused to them: counted by `bpf/network.bpf.c`. */

/** Sums since the programs were loaded. Bytes are IP bytes on the wire; loopback is apart. */
export interface NetworkUse {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly receivedPackets: number;
  /** TCP connections to other hosts, and from them. */
  readonly connectionsOut: number;
  readonly connectionsIn: number;
  /** Bytes sent on loopback. */
  readonly localBytes: number;
  /** Packets that waited for the limit, and packets that were dropped at it. */
  readonly heldPackets: number;
  readonly lostPackets: number;
  readonly refusals: Readonly<Record<NetworkRefusalKind, number>>;
}

export const networkRefusalKinds = [
  'network.connections',
  'reach.mail',
  'reach.tenants',
  'reach.metadata',
  'reach.address',
  'listen.ports',
  'listen.public',
] as const;
export type NetworkRefusalKind = (typeof networkRefusalKinds)[number];

/** One refusal, or what would be one in watch mode. At most five a second of each tenant are reported; all are counted. */
export interface NetworkRefusal {
  readonly kind: NetworkRefusalKind;
  readonly uid: number;
  readonly pid: number;
  /** The program's name, from the kernel: 15 bytes, chosen by the tenant. */
  readonly program: string;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** An IP protocol number: 6 is TCP, 17 is UDP. */
  readonly protocol: number;
  readonly wasRefused: boolean;
}
