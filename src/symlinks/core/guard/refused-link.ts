/**
 * The BPF programs' event for a link that was not followed: `struct event` of bpf/symlinks.bpf.c.
 */
import { CStruct } from '../../../../packages/base/c-struct.ts';

export interface RefusedLinkEvent {
  /** Refused links of this owner so far, since the guard was loaded. */
  readonly total: number;
  /** Whether it was not refused, since the guard only watches. */
  readonly watched: boolean;
  /** Uid of the link's owner. */
  readonly owner: number;
  /** Uid of the owner of the file that it resolves to. */
  readonly targetOwner: number;
  /** The name of the task that followed it. */
  readonly program: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** `MAJOR:MINOR`, as mounts have it. */
  readonly device: string;
  /** The path from the root of the file system; begins with `…/` if it is longer. */
  readonly path: string;
  /** The text of the link, if the kernel had it at hand; may be cut. */
  readonly leadsTo: string | undefined;
}

export const refusedLinkStruct = new CStruct({
  total: 'u64',
  target_inode: 'u64',
  target_device: 'u32',
  target_owner: 'u32',
  pid: 'u32',
  uid: 'u32',
  gid: 'u32',
  mode: 'u32',
  program: [16],
  'link.inode': 'u64',
  'link.device': 'u32',
  'link.owner': 'u32',
  'link.text': [96],
  'link.names': [6, 32],
});
const watchMode = 2;

/** Returns undefined if it is shorter than such a record. */
export function parseRefusedLink(bytes: Uint8Array): RefusedLinkEvent | undefined {
  const event = refusedLinkStruct.read(bytes);
  if (event === undefined) return undefined;
  const leadsTo = event.text('link.text');
  return {
    total: Number(event.bigint('total')),
    watched: event.number('mode') === watchMode,
    owner: event.number('link.owner'),
    targetOwner: event.number('target_owner'),
    program: event.text('program'),
    pid: event.number('pid'),
    uid: event.number('uid'),
    gid: event.number('gid'),
    device: deviceText(event.number('link.device')),
    path: pathOf(event.texts('link.names')),
    leadsTo: leadsTo === '' ? undefined : leadsTo,
  };
}

/** Joins names, ordered from the link upwards; a slash is the root of a file system. */
function pathOf(upwards: readonly string[]): string {
  const root = upwards.indexOf('/');
  const known = (root < 0 ? upwards : upwards.slice(0, root)).filter((each) => each !== '');
  return `${root < 0 ? '…/' : '/'}${known.toReversed().join('/')}`;
}

/** Formats a device number in the kernel's own form: 12 bits and 20. Source: linux/kdev_t.h. */
const deviceText = (device: number) => `${device >>> 20}:${device & 0xfffff}`;

/**
 * Returns the link's path on the host if the mount point of the file system is known, else its path
 * in the file system.
 */
export function refusedLinkPath(
  { path }: RefusedLinkEvent,
  mountPoint: string | undefined,
): string {
  if (mountPoint === undefined || mountPoint === '/' || path.startsWith('…')) return path;
  return `${mountPoint}${path}`;
}
