/**
 * What the programs report of a link that was not followed: `struct event` of bpf/symlinks.bpf.c.
 */
import { cText } from '../../../base/c-text.ts';
export interface RefusedLink {
  /** Refused links of this owner so far, since the guard was loaded. */
  readonly total: number;
  /** Not refused, since the guard only watches. */
  readonly watched: boolean;
  /** Uid of the link's owner. */
  readonly owner: number;
  /** Uid of whoever owns what it resolves to. */
  readonly targetOwner: number;
  /** Of the task that followed it. */
  readonly program: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** `MAJOR:MINOR`, as mounts have it. */
  readonly device: string;
  /** From the root of the file system; begins with `…/` where it is longer. */
  readonly path: string;
  /** What is written in the link, if the kernel had it at hand; may be cut. */
  readonly leadsTo: string | undefined;
}

/** Offsets of the structure. */
const at = {
  total: 0,
  targetOwner: 20,
  pid: 24,
  uid: 28,
  gid: 32,
  mode: 36,
  program: 40,
  device: 64,
  owner: 68,
  text: 72,
  names: 168,
} as const;
const programBytes = 16;
const textBytes = 96;
const nameBytes = 32;
const names = 6;
const watchMode = 2;
export const eventBytes = at.names + names * nameBytes;

/** Undefined if it is shorter than such a record. */
export function parseRefusedLink(bytes: Uint8Array): RefusedLink | undefined {
  if (bytes.byteLength < eventBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (offset: number) => view.getUint32(offset, true);
  const text = (offset: number, size: number) => cText(bytes.subarray(offset, offset + size));
  const leadsTo = text(at.text, textBytes);
  return {
    total: Number(view.getBigUint64(at.total, true)),
    watched: word(at.mode) === watchMode,
    owner: word(at.owner),
    targetOwner: word(at.targetOwner),
    program: text(at.program, programBytes),
    pid: word(at.pid),
    uid: word(at.uid),
    gid: word(at.gid),
    device: deviceText(word(at.device)),
    path: pathOf(
      Array.from({ length: names }, (_, index) => text(at.names + index * nameBytes, nameBytes)),
    ),
    leadsTo: leadsTo === '' ? undefined : leadsTo,
  };
}

/** Names from the link upwards; that of a file system's root is a slash. */
function pathOf(upwards: readonly string[]): string {
  const root = upwards.indexOf('/');
  const known = (root < 0 ? upwards : upwards.slice(0, root)).filter((each) => each !== '');
  return `${root < 0 ? '…/' : '/'}${known.toReversed().join('/')}`;
}

/** Source: linux/kdev_t.h, the kernel's own form: 12 bits and 20. */
const deviceText = (device: number) => `${device >>> 20}:${device & 0xfffff}`;

/** Where it is, if it is known where the file system is mounted. */
export function placeOf({ path }: RefusedLink, mountPoint: string | undefined): string {
  if (mountPoint === undefined || mountPoint === '/' || path.startsWith('…')) return path;
  return `${mountPoint}${path}`;
}
