/** The BPF programs' event for a refusal: `struct event` of bpf/placement.bpf.c, little-endian. */
import { CStruct } from '../../../packages/base/c-struct.ts';
import { printable } from '../../../packages/base/printable.ts';

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
  /** The uid before. */
  readonly from: number;
  /** The uid that it asked for. */
  readonly to: number;
  /** The tenant's uid. */
  readonly tenant: number;
  /** The operation that was refused. */
  readonly what: (typeof whats)[number];
  /** Whether it was only watched, and let pass. */
  readonly passed: boolean;
  /** The name of the process. */
  readonly command: string;
  /** The module that was asked for, or the file that was to run. */
  readonly name: string;
  /** The systemd unit in which the task was, or the cgroup if there is no unit; empty for the root cgroup. */
  readonly unit: string;
}

export const strictEventStruct = new CStruct({
  nanoseconds: 'u64',
  cgroup: 'u64',
  pid: 'u32',
  from: 'u32',
  to: 'u32',
  tenant: 'u32',
  what: 'u32',
  mode: 'u32',
  parent: 'u32',
  unused: 'u32',
  command: [16],
  name: [32],
  groups: [4, 64],
});

export function parseStrictEvent(bytes: Uint8Array): StrictEvent | undefined {
  const event = strictEventStruct.read(bytes);
  const what = event && whats[event.number('what')];
  if (event === undefined || what === undefined) return undefined;
  return {
    nanoseconds: event.bigint('nanoseconds'),
    cgroup: event.bigint('cgroup'),
    pid: event.number('pid'),
    parent: event.number('parent'),
    from: event.number('from'),
    to: event.number('to'),
    tenant: event.number('tenant'),
    what,
    passed: event.number('mode') === 2,
    // Names are whatever somebody chose.
    command: printable(event.text('command')),
    name: printable(event.text('name')),
    // The cgroup of the task, and those above it, as far as the kernel told.
    unit: unitOf(
      event
        .texts('groups')
        .map(printable)
        .filter((name) => name !== ''),
    ),
  };
}

/** The innermost unit that can have processes; a delegated one has cgroups of its own below it. */
const unitOf = (groups: readonly string[]): string =>
  groups.find((name) => /\.(?:service|scope)$/.test(name)) ?? groups[0] ?? '';
