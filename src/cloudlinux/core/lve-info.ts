/**
 * The data that a CloudLinux host reports about its LVEs, made from the agent's data: limits as LVE
 * has them, and the text of `/var/lve/info`, which panels read.
 *
 *     0,0,20,0,10000,0,0,0,0,262144,0,0,100,0,0,0,0,1024,1024,0            the defaults
 *     1001,0,20,2492,10000,0,0,0,0,262144,33000,0,100,7,0,0,512,1024,1024,5
 *
 * The fields, in order: id; entries and their limit; CPU and its limit in 1/100 % of one core;
 * virtual memory and its limit; faults of virtual memory; faults of entries; limit, use and faults
 * of memory in pages of 4096 bytes; limit, number and faults of processes; CPU weight; I/O and its
 * limit in KiB/s; limit and number of operations a second. 0 is unlimited. Virtual memory, entries
 * in use and the weight are not measured here and always 0. A use is never more than its limit.
 */
import type { LimitKey } from '../../limits/limit.ts';
import type { LimitNumbers, TopRow, Who } from '../../agent/api/api.ts';

/** Limits as LVE has them, where reads and writes are bounded together; 0 is unlimited. */
export interface LveLimits {
  /** Percent of one core. */
  readonly speed: number;
  readonly memoryBytes: number;
  readonly ioBytesPerSecond: number;
  readonly iops: number;
  readonly nproc: number;
  readonly ep: number;
}

/**
 * Returns the limit of both together, if it is set. Otherwise the larger of reads and writes counts
 * for both; if one is unlimited, so is the sum.
 */
export function lveLimits(limits: LimitNumbers): LveLimits {
  const larger = (a: LimitKey, b: LimitKey) => {
    const [one, other] = [limits[a], limits[b]];
    return one === undefined || other === undefined ? 0 : Math.max(one, other);
  };
  return {
    speed: (limits['cpu.limit'] ?? 0) * 100,
    memoryBytes: limits['memory.limit'] ?? 0,
    ioBytesPerSecond: limits['io.total'] ?? larger('io.read', 'io.write'),
    iops: limits['io.operations'] ?? larger('io.reads', 'io.writes'),
    nproc: limits['processes.limit'] ?? 0,
    ep: limits['entries.limit'] ?? 0,
  };
}

/** Rounds a limit to a whole number; no limit may become 0, which is unlimited. */
export const wholeLimit = (limit: number) => (limit <= 0 ? 0 : Math.max(1, Math.round(limit)));

/** Returns the account; undefined for a uid without one, which the agent calls `uid 1001`. */
export const accountOf = ({ name, uid }: Pick<Who, 'name' | 'uid'>): string | undefined =>
  name === `uid ${uid}` ? undefined : name;

const pageBytes = 4096;

interface Use {
  readonly cpu: number;
  readonly memory: number;
  readonly threads: number;
  readonly io: number;
  readonly iops: number;
}

const nothing: Use = { cpu: 0, memory: 0, threads: 0, io: 0, iops: 0 };

/**
 * Returns the text of `/var/lve/info`: the defaults as id 0, then the tenants among `rows` by uid.
 */
export function lveInfo(rows: readonly TopRow[], defaults: LimitNumbers): string {
  const tenants = rows
    .filter((row) => row.kind === 'tenant')
    .toSorted((a, b) => a.uid - b.uid)
    .map((row) => infoLine(row.uid, useOf(row), row.limits, row.faults));
  return [infoLine(0, nothing, defaults, {}), ...tenants, ''].join('\n');
}

const useOf = ({ usage }: TopRow): Use => ({
  cpu: usage.cpu,
  memory: usage.memory,
  threads: usage.threads,
  io: usage.total,
  iops: usage.operations,
});

function infoLine(
  id: number,
  use: Use,
  numbers: LimitNumbers,
  faults: Readonly<Partial<Record<LimitKey, number>>>,
): string {
  const limits = lveLimits(numbers);
  const cpu = withLimit(use.cpu * 10_000, limits.speed * 100);
  const memory = withLimit(use.memory / pageBytes, limits.memoryBytes / pageBytes);
  const processes = withLimit(use.threads, limits.nproc);
  const io = withLimit(use.io / 1024, limits.ioBytesPerSecond / 1024);
  const iops = withLimit(use.iops, limits.iops);
  const faultsOf = (key: LimitKey) => faults[key] ?? 0;
  const entries = [0, wholeLimit(limits.ep)];
  const virtualMemory = [0, 0];
  const cpuWeight = 0;
  return [
    [id],
    entries,
    [cpu.use, cpu.limit],
    virtualMemory,
    [0, faultsOf('entries.limit')],
    [memory.limit, memory.use, faultsOf('memory.limit')],
    [processes.limit, processes.use, faultsOf('processes.limit')],
    [cpuWeight],
    [io.use, io.limit],
    [iops.limit, iops.use],
  ]
    .flat()
    .join(',');
}

function withLimit(use: number, limit: number) {
  const whole = wholeLimit(limit);
  const used = Math.max(0, Math.round(use));
  return { use: whole === 0 ? used : Math.min(used, whole), limit: whole };
}
