/** The use of the network by tenants, and what was refused to them: counted by `bpf/network.bpf.c`. */
import type { NetworkCounters } from '../../usage/part-keys.ts';

/** Sums since the programs were loaded. */
export interface NetworkUse extends NetworkCounters {
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
