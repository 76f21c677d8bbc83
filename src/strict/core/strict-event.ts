/** What the programs tell of each refusal: `struct event` of bpf/tenants.bpf.c, little-endian. */
import { cText } from '../../base/c-text.ts';
import { printable } from '../../base/printable.ts';

/**
 *     uid       a process took on a tenant's uid
 *     setuid    a program started with a tenant's effective uid, as a setuid file of the tenant's does
 *     module    a tenant made the kernel ask for a module
 */
const whats = ['uid', 'module', 'setuid'] as const;

export interface StrictEvent {
  /** Nanoseconds since boot. */
  readonly nanoseconds: bigint;
  /** The inode of the cgroup in which the task was. */
  readonly cgroup: bigint;
  readonly pid: number;
  /** The pid of the process that started it. */
  readonly parent: number;
  readonly from: number;
  readonly to: number;
  readonly tenant: number;
  readonly what: (typeof whats)[number];
  /** Only watched: it was let pass. */
  readonly passed: boolean;
  readonly command: string;
  /** The module that was asked for, or the file that was to run. */
  readonly name: string;
  /** The systemd unit, or the cgroup where there is none, in which the task was; empty for the root cgroup. */
  readonly unit: string;
}

const groupBytes = 64;
const groupsAt = 96;
export const strictEventBytes = 352;

export function parseStrictEvent(bytes: Uint8Array): StrictEvent | undefined {
  if (bytes.length < strictEventBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const what = whats[view.getUint32(32, true)];
  if (what === undefined) return undefined;
  return {
    nanoseconds: view.getBigUint64(0, true),
    cgroup: view.getBigUint64(8, true),
    pid: view.getUint32(16, true),
    parent: view.getUint32(40, true),
    from: view.getUint32(20, true),
    to: view.getUint32(24, true),
    tenant: view.getUint32(28, true),
    what,
    passed: view.getUint32(36, true) === 2,
    command: nameIn(bytes.subarray(48, 64)),
    name: nameIn(bytes.subarray(64, 96)),
    unit: unitOf(groupsIn(bytes)),
  };
}

/** Names are whatever somebody chose. */
const nameIn = (bytes: Uint8Array): string => printable(cText(bytes));

/** The cgroup of the task, and those above it, as far as the kernel told. */
function groupsIn(bytes: Uint8Array): readonly string[] {
  const names: string[] = [];
  for (let at = groupsAt; at < strictEventBytes; at += groupBytes)
    names.push(nameIn(bytes.subarray(at, at + groupBytes)));
  return names.filter((name) => name !== '');
}

/** The innermost unit that can have processes; a delegated one has cgroups of its own below it. */
const unitOf = (groups: readonly string[]): string =>
  groups.find((name) => /\.(?:service|scope)$/.test(name)) ?? groups[0] ?? '';
