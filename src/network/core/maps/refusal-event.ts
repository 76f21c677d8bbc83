/** The programs' event for a refusal: `struct event` of `bpf/network.bpf.c`, little-endian. */
import { CStruct } from '../../../../packages/base/c-struct.ts';
import { unmapped } from '../../../../packages/base/ip-address.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { networkRefusalKinds, type NetworkRefusal } from '../use.ts';

export const networkEventStruct = new CStruct({
  uid: 'u32',
  pid: 'u32',
  kind: 'u32',
  port: 'u32',
  protocol: 'u32',
  refused: 'u32',
  address: [16],
  command: [16],
});

/** Returns undefined for what is none. */
export function parseNetworkRefusal(bytes: Uint8Array): NetworkRefusal | undefined {
  const event = networkEventStruct.read(bytes);
  const kind = event && networkRefusalKinds[event.number('kind')];
  if (event === undefined || kind === undefined) return undefined;
  return {
    kind,
    uid: event.number('uid'),
    pid: event.number('pid'),
    program: printable(event.text('command')),
    address: unmapped(event.bytes('address').slice()),
    port: event.number('port'),
    protocol: event.number('protocol'),
    wasRefused: event.number('refused') !== 0,
  };
}
