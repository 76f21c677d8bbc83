/** The BPF programs' event for a refusal: `struct event` of bpf/jail.bpf.c, little-endian. */
import { CStruct } from '../../../packages/base/c-struct.ts';
import { printable } from '../../../packages/base/printable.ts';

export const refusalKinds = ['process', 'socket', 'descriptor', 'namespace', 'program'] as const;
export type RefusalKind = (typeof refusalKinds)[number];

export interface JailRefusal {
  /** The number of refusals for this tenant since the programs were loaded. */
  readonly total: number;
  readonly tenant: number;
  readonly what: RefusalKind;
  readonly pid: number;
  /** The process on the other side, or 0. */
  readonly other: number;
  /** The uid of that process, or of the socket's owner. */
  readonly otherUid: number;
  readonly program: string;
  /** The name of the socket, or of the program. */
  readonly name: string;
}

export const refusalStruct = new CStruct({
  total: 'u64',
  tenant: 'u32',
  what: 'u32',
  pid: 'u32',
  other: 'u32',
  other_uid: 'u32',
  unused: 'u32',
  program: [16],
  name: [32],
});

export function parseJailRefusal(bytes: Uint8Array): JailRefusal | undefined {
  const event = refusalStruct.read(bytes);
  const what = event && refusalKinds[event.number('what')];
  if (event === undefined || what === undefined) return undefined;
  return {
    total: Number(event.bigint('total')),
    tenant: event.number('tenant'),
    what,
    pid: event.number('pid'),
    other: event.number('other'),
    otherUid: event.number('other_uid'),
    program: printable(event.text('program')),
    name: printable(event.text('name')),
  };
}

/** Returns a clause with what was tried, to follow a name: `tried to make a user namespace`. */
export function formatJailRefusal({ what, other, otherUid, name }: JailRefusal): string {
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
