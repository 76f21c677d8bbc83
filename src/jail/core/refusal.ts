/** What the programs tell of a refusal: `struct event` of bpf/jails.bpf.c, little-endian. */
import { cText } from '../../base/c-text.ts';
import { printable } from '../../base/printable.ts';

export const refusalKinds = ['process', 'socket', 'descriptor', 'namespace', 'program'] as const;
export type RefusalKind = (typeof refusalKinds)[number];

export interface Refusal {
  /** How many there have been of this tenant since the programs were loaded. */
  readonly total: number;
  readonly tenant: number;
  readonly what: RefusalKind;
  readonly pid: number;
  /** The process on the other side, or 0. */
  readonly other: number;
  /** Whose that process is, or the socket. */
  readonly otherUid: number;
  readonly program: string;
  /** Of the socket, or of the program. */
  readonly name: string;
}

export const refusalBytes = 80;

export function parseRefusal(bytes: Uint8Array): Refusal | undefined {
  if (bytes.length < refusalBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const what = refusalKinds[view.getUint32(12, true)];
  if (what === undefined) return undefined;
  return {
    total: Number(view.getBigUint64(0, true)),
    tenant: view.getUint32(8, true),
    what,
    pid: view.getUint32(16, true),
    other: view.getUint32(20, true),
    otherUid: view.getUint32(24, true),
    program: printable(cText(bytes.subarray(32, 48))),
    name: printable(cText(bytes.subarray(48, 80))),
  };
}

/** What was tried, as it follows a name: `tried to make a user namespace`. */
export function refusalText({ what, other, otherUid, name }: Refusal): string {
  switch (what) {
    case 'process':
      return `tried to look into process ${other}, which is in another view of the host`;
    case 'socket':
      return `tried to reach the abstract socket "${name}" of ${otherUid === 0 ? 'root' : `uid ${otherUid}`}`;
    case 'descriptor':
      return 'tried to take a file or directory from another view of the host';
    case 'namespace':
      return 'tried to make a user namespace';
    case 'program':
      return `tried to run "${name}" outside its jail`;
  }
}
