/**
 * Limits in the shape of cloudlinux-limits and cloudlinux-packages:
 *
 *     {"cpu": {"all": "100"}, "ep": "*30", "io": {"all": "1024"}, "iops": "1024", "nproc": "100",
 *      "pmem": "1073741824", "vmem": "0"}
 *
 * All are text: CPU in percent of one core, io in KB/s, pmem in bytes, 0 is unlimited. A star marks a limit of the
 * tenant's or the package's own; the others are inherited.
 */
import type { LimitNumbers } from '../../../agent/api/api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { lveLimits, wholeLimit } from '../../core/lve-info.ts';
import type { LveKey } from '../../core/lve-usage.ts';

export interface PanelLimits {
  /** CPU time in percent of one core, in `all`. */
  readonly cpu: { readonly all: string };
  /** Entries: concurrent requests. */
  readonly ep: string;
  /** Disk traffic in KB per second, in `all`. */
  readonly io: { readonly all: string };
  /** Disk operations per second. */
  readonly iops: string;
  /** Processes and their threads. */
  readonly nproc: string;
  /** Memory in bytes. */
  readonly pmem: string;
  /** Always `0`: nothing limits virtual memory. */
  readonly vmem: string;
}

/** The limits of the policy that each limit of an LVE consists of. */
export const policyKeys: Readonly<Record<LveKey, readonly LimitKey[]>> = {
  cpu: ['cpu.limit'],
  ep: ['entries.limit'],
  vmem: [],
  pmem: ['memory.limit'],
  nproc: ['processes.limit'],
  io: ['io.total', 'io.read', 'io.write'],
  iops: ['io.operations', 'io.reads', 'io.writes'],
};

export function panelLimits(numbers: LimitNumbers, isOwn: (key: LimitKey) => boolean): PanelLimits {
  const { speed, ep, ioBytesPerSecond, iops, nproc, memoryBytes } = lveLimits(numbers);
  const text = (key: LveKey, limit: number) =>
    `${policyKeys[key].some(isOwn) ? '*' : ''}${wholeLimit(limit)}`;
  return {
    cpu: { all: text('cpu', speed) },
    ep: text('ep', ep),
    io: { all: text('io', ioBytesPerSecond / 1024) },
    iops: text('iops', iops),
    nproc: text('nproc', nproc),
    pmem: text('pmem', memoryBytes),
    vmem: '0',
  };
}
