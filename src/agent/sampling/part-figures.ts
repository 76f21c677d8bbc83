/** The figures of a tick, from two reads of what a tenant has used. */
import { counterGrowth } from '../../usage/measure.ts';
import type { PartFigures } from '../../usage/part-keys.ts';
import type { DatabaseUse, NetworkUse } from '../part.ts';

export function databaseFigures(
  { connections, cpuSeconds, pausedSeconds }: DatabaseUse,
  before: DatabaseUse | undefined,
  seconds: number,
): PartFigures {
  const counted = connections === undefined ? {} : { databaseConnections: connections };
  if (before === undefined) return counted;
  const share = (then: number, now: number) => counterGrowth(then, now) / seconds;
  return {
    ...(before.cpuSeconds !== undefined &&
      cpuSeconds !== undefined && { databaseCpu: share(before.cpuSeconds, cpuSeconds) }),
    ...counted,
    databasePaused: share(before.pausedSeconds, pausedSeconds),
  };
}

/** Counters that went back belong to programs that were loaded again: nothing is known of that tick. */
export function networkFigures(
  now: NetworkUse,
  before: NetworkUse | undefined,
  seconds: number,
): PartFigures {
  if (before === undefined || networkSums.some((key) => now[key] < before[key])) return {};
  const rate = (key: NetworkSum) => (now[key] - before[key]) / seconds;
  return {
    sent: rate('sentBytes'),
    received: rate('receivedBytes'),
    packetsSent: rate('sentPackets'),
    packetsReceived: rate('receivedPackets'),
    connectionsOut: rate('connectionsOut'),
    connectionsIn: rate('connectionsIn'),
    localSent: rate('localBytes'),
    held: rate('heldPackets'),
    lost: rate('lostPackets'),
  };
}

const networkSums = [
  'sentBytes',
  'receivedBytes',
  'sentPackets',
  'receivedPackets',
  'connectionsOut',
  'connectionsIn',
  'localBytes',
  'heldPackets',
  'lostPackets',
] as const satisfies readonly (keyof NetworkUse)[];
type NetworkSum = (typeof networkSums)[number];
