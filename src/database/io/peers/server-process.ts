/** A server's process as the kernel shows it. The worker names its pid, and is not believed. */
import { readText } from '../../../../packages/base/io/read.ts';
import { statusName, statusValue } from '../../../sys/processes/process-status.ts';
import type { ServerProcess } from '../../core/peers/peer-maps.ts';

/** The names of servers' processes, and whether each connection has a process of its own. */
const forksByName: ReadonlyMap<string, boolean> = new Map([
  ['mariadbd', false],
  ['mysqld', false],
  ['postgres', true],
  ['postmaster', true],
]);

/** Returns the process, if it is a database server that runs as this account. */
export function findServerProcess(
  pid: number | undefined,
  owner: number,
): ServerProcess | undefined {
  if (pid === undefined) return undefined;
  const status = readText(`/proc/${pid}/status`) ?? '';
  const forks = forksByName.get(statusName(status) ?? '');
  const [uid] = statusValue(status, 'Uid')?.split('\t') ?? [];
  const started = startTicks(pid);
  return forks === undefined || started === undefined || uid !== `${owner}`
    ? undefined
    : { pid, started, forks };
}

/** Returns when a process started, in clock ticks since boot. Source: proc_pid_stat(5). */
export function startTicks(pid: number): bigint | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? BigInt(ticks) : undefined;
}
