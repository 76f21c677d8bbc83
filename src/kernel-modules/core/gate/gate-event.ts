/**
 * What the gate in the kernel tells of each module that was to be loaded: `struct event` of
 * bpf/modules.bpf.c, in the byte order of the machine.
 */
import { cText } from '../../../base/c-text.ts';
import { printable } from '../../../base/printable.ts';

export interface GateEvent {
  /** Nanoseconds since boot. */
  readonly nanoseconds: bigint;
  readonly pid: number;
  readonly uid: number;
  /** `memory`: by init_module(2), so there is no file. */
  readonly from: 'file' | 'memory';
  readonly mode: GateMode;
  /** Not on the list; it was loaded all the same if the mode is `watch`. */
  readonly refused: boolean;
  /** How the kernel hashed it, by number; undefined if it could not. */
  readonly algorithm: number | undefined;
  /** It lies where its contents can be others each time that it is read, and was not hashed. */
  readonly unstable: boolean;
  /** Hexadecimal. */
  readonly digest: string;
  readonly command: string;
  /** Of the file, without its directory. */
  readonly name: string;
}

export const gateModes = ['off', 'on', 'watch'] as const;
export type GateMode = (typeof gateModes)[number];

/** As the programs call it. */
const ENOTBLK = 15;

export const gateEventBytes = 144;

export function parseGateEvent(bytes: Uint8Array): GateEvent | undefined {
  if (bytes.length < gateEventBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const algorithm = view.getInt32(24, true);
  return {
    nanoseconds: view.getBigUint64(0, true),
    pid: view.getUint32(8, true),
    uid: view.getUint32(12, true),
    from: view.getUint32(16, true) === 0 ? 'file' : 'memory',
    mode: gateModes[view.getUint32(20, true)] ?? 'off',
    refused: view.getUint32(28, true) !== 0,
    algorithm: algorithm < 0 ? undefined : algorithm,
    unstable: algorithm === -ENOTBLK,
    digest: bytes.subarray(32, 64).toHex(),
    command: nameIn(bytes.subarray(64, 80)),
    name: nameIn(bytes.subarray(80, 144)),
  };
}

/** Names are whatever somebody called a file. */
const nameIn = (bytes: Uint8Array): string => printable(cText(bytes));
