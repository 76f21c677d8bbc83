/** Metrics that no cgroup shows: parts of the agent know them. All are unknown for sites. */

/** The use of database servers. It is unknown while a server does not answer, and while none is asked. */
export const databaseKeys = ['databaseCpu', 'databaseConnections', 'databasePaused'] as const;

/** The use of the network. It is unknown while no program counts it. */
export const networkKeys = [
  'sent',
  'received',
  'packetsSent',
  'packetsReceived',
  'connectionsOut',
  'connectionsIn',
  'localSent',
  'held',
  'lost',
] as const;

/** The counters behind the use of the network. Bytes are IP bytes on the wire; loopback is apart. */
export interface NetworkCounters {
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
}

/** All of them. */
export const partKeys = [...databaseKeys, ...networkKeys] as const;
export type PartKey = (typeof partKeys)[number];
export type PartFigures = Readonly<Partial<Record<PartKey, number>>>;

export const isDatabaseKey = (key: string): boolean => databaseKeys.some((each) => each === key);

export const isPartKey = (key: string): key is PartKey => partKeys.some((each) => each === key);
