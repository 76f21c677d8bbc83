/** The counters of a tenant: `struct usage` of `bpf/network.bpf.c`, once for each processor. */
import { CStruct } from '../../../../packages/base/c-struct.ts';
import { networkRefusalKinds, type NetworkRefusalKind, type NetworkUse } from '../use.ts';

const counters = [
  'sent_bytes',
  'received_bytes',
  'sent_packets',
  'received_packets',
  'connections_out',
  'connections_in',
  'local_bytes',
  'held_packets',
  'lost_packets',
] as const;
type Counter = (typeof counters)[number];

export const usageStruct = new CStruct<Counter | 'refusals'>({
  ...(Object.fromEntries(counters.map((name) => [name, 'u64'])) as Record<Counter, 'u64'>),
  refusals: [8 * networkRefusalKinds.length],
});

/** Returns the sums over all processors; no values are a tenant that has used nothing yet. */
export function sumOfUsage(values: Uint8Array = new Uint8Array()): NetworkUse {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const sumAt = (offset: number): number => {
    let sum = 0n;
    for (let at = offset; at + 8 <= values.length; at += usageStruct.size)
      sum += view.getBigUint64(at, true);
    return Number(sum);
  };
  const of = (name: Counter) => sumAt(usageStruct.field(name).offset);
  const refusals = usageStruct.field('refusals').offset;
  return {
    sentBytes: of('sent_bytes'),
    receivedBytes: of('received_bytes'),
    sentPackets: of('sent_packets'),
    receivedPackets: of('received_packets'),
    connectionsOut: of('connections_out'),
    connectionsIn: of('connections_in'),
    localBytes: of('local_bytes'),
    heldPackets: of('held_packets'),
    lostPackets: of('lost_packets'),
    refusals: Object.fromEntries(
      networkRefusalKinds.map((kind, index) => [kind, sumAt(refusals + 8 * index)]),
    ) as Record<NetworkRefusalKind, number>,
  };
}
