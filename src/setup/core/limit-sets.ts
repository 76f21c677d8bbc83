/** Sets of limits that suit a host, for a first policy. */
import type { Assignment } from '../../policy/assignment.ts';
import { formatQuantity, type Bytes } from '../../../packages/base/quantity.ts';

export const limitSetNames = ['starter', 'medium'] as const;
/**
 *     starter  many small sites
 *     medium   fewer tenants, with shops and applications
 */
export type LimitSetName = (typeof limitSetNames)[number];

export interface HostSize {
  readonly cores: number;
  readonly memoryBytes: number;
}

/** Returns the limits of each tenant on a host of this size. */
export function limitSet(
  name: LimitSetName,
  { cores, memoryBytes }: HostSize,
): readonly Assignment[] {
  const isMedium = name === 'medium';
  const limit = (key: `${string}.${string}`, value: string): Assignment => ({
    kind: 'limit',
    key,
    value,
  });
  return [
    limit('cpu.limit', cpuLimit(cores, isMedium ? 2 : 1)),
    limit('memory.limit', memoryLimit(memoryBytes, isMedium ? 2 : 1)),
    limit('processes.limit', isMedium ? '200' : '100'),
    limit('io.read', isMedium ? '50MiB/s' : '20MiB/s'),
    limit('io.write', isMedium ? '50MiB/s' : '20MiB/s'),
    limit('io.reads', isMedium ? '2000/s' : '1000/s'),
    limit('io.writes', isMedium ? '2000/s' : '1000/s'),
  ];
}

/** Leaves half of a core for the administrator. */
function cpuLimit(cores: number, wanted: number): string {
  const most = cores * 100 - 50;
  return `${Math.min(wanted * 100, most)}%`;
}

const mebibyte = 2 ** 20;

/** Returns an eighth of the memory for each core of the set, as a power of two between 64 MiB and 2 GiB. */
function memoryLimit(memoryBytes: number, share: number): string {
  const power = 2 ** Math.floor(Math.log2((memoryBytes / 8) * share));
  const bytes = Math.min(1024 * mebibyte * share, Math.max(64 * mebibyte, power));
  return formatQuantity('bytes', bytes as Bytes);
}

export const formatLimitSet = (assignments: readonly Assignment[]): string =>
  assignments
    .flatMap((each) =>
      each.kind === 'limit'
        ? [`${each.key.replace(/\.limit$/, '').replace('.', ' ')} ${each.value}`]
        : [],
    )
    .join(', ');
