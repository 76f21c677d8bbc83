/**
 * What the gate in the kernel tells of each module that was to be loaded: `struct event` of
 * bpf/modules.bpf.c, in the byte order of the machine.
 */
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
  /** Hexadecimal. */
  readonly digest: string;
  readonly command: string;
  /** Of the file, without its directory. */
  readonly name: string;
}

export const gateModes = ['off', 'on', 'watch'] as const;
export type GateMode = (typeof gateModes)[number];

/** Source: include/uapi/linux/hash_info.h. */
const algorithms = ['md4', 'md5', 'sha1', 'rmd160', 'sha256', 'sha384', 'sha512', 'sha224'];
export const sha256Algorithm = algorithms.indexOf('sha256');
export const algorithmName = (number: number): string => algorithms[number] ?? `number ${number}`;

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
    digest: bytes.subarray(32, 64).toHex(),
    command: textOf(bytes.subarray(64, 80)),
    name: textOf(bytes.subarray(80, 144)),
  };
}

/** Up to its NUL; names are whatever somebody called a file. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return printable(new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)));
}
