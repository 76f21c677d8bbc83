/**
 * The gate's event for each module that was about to load: `struct event` of bpf/modules.bpf.c, in
 * the byte order of the machine.
 */
import { CStruct } from '../../../../packages/base/c-struct.ts';
import { printable } from '../../../../packages/base/printable.ts';

export interface GateEvent {
  /** Nanoseconds since boot. */
  readonly nanoseconds: bigint;
  readonly pid: number;
  readonly uid: number;
  /** The origin; `memory` means init_module(2), so there is no file. */
  readonly from: 'file' | 'memory';
  readonly mode: GateMode;
  /** Whether the module was not on the list; it was loaded all the same if the mode is `watch`. */
  readonly refused: boolean;
  /** The number of the kernel's hash algorithm; undefined if the kernel could not hash it. */
  readonly algorithm: number | undefined;
  /** Whether each read of the file may give other contents, so that it was not hashed. */
  readonly unstable: boolean;
  /** The digest, hexadecimal. */
  readonly digest: string;
  /** The name of the process that asked for the module. */
  readonly command: string;
  /** The file's name, without its directory. */
  readonly name: string;
}

export const gateModes = ['off', 'on', 'watch'] as const;
export type GateMode = (typeof gateModes)[number];

/** Errno, as the BPF programs use it. */
const ENOTBLK = 15;

export const gateEventStruct = new CStruct({
  nanoseconds: 'u64',
  pid: 'u32',
  uid: 'u32',
  how: 'u32',
  mode: 'u32',
  algorithm: 's32',
  refused: 'u32',
  digest: [32],
  command: [16],
  name: [64],
});

export function parseGateEvent(bytes: Uint8Array): GateEvent | undefined {
  const event = gateEventStruct.read(bytes);
  if (event === undefined) return undefined;
  const algorithm = event.number('algorithm');
  return {
    nanoseconds: event.bigint('nanoseconds'),
    pid: event.number('pid'),
    uid: event.number('uid'),
    from: event.number('how') === 0 ? 'file' : 'memory',
    mode: gateModes[event.number('mode')] ?? 'off',
    refused: event.number('refused') !== 0,
    algorithm: algorithm < 0 ? undefined : algorithm,
    unstable: algorithm === -ENOTBLK,
    digest: event.bytes('digest').toHex(),
    // Names are whatever somebody called a file.
    command: printable(event.text('command')),
    name: printable(event.text('name')),
  };
}
