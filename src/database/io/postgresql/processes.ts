/**
 * The CPU time of a PostgreSQL server, which has a process for each connection. Sources: proc_pid_schedstat(5), whose first
 * number is nanoseconds on a CPU, and proc_pid_stat(5).
 */
import { readText } from '../../../../packages/base/io/read.ts';
import { statusValue } from '../../../sys/processes/process-status.ts';
import { clockTicksPerSecond } from '../../../sys/syscalls.ts';

const childrenMax = 20_000;

/**
 * Whether the server numbers its processes as this host does. A server in a container names pids that are other programs'
 * here. Source: proc_pid_status(5), `NSpid`.
 */
export function sharesPids(pid: number): boolean {
  const numbers = statusValue(readText(`/proc/${pid}/status`) ?? '', 'NSpid');
  return numbers?.includes('\t') !== true;
}

/** Returns the CPU time of a process of one thread, in whole microseconds: sums of them are exact. */
export function processMicroseconds(pid: number): number | undefined {
  const nanoseconds = Number(readText(`/proc/${pid}/schedstat`)?.split(' ')[0]);
  return Number.isFinite(nanoseconds) ? Math.round(nanoseconds / 1000) : undefined;
}

/** Returns the CPU time of the server's first process, of all its children, and of those that have ended. */
export function serverMicroseconds(pid: number): number | undefined {
  const children = readText(`/proc/${pid}/task/${pid}/children`);
  // The name in it may contain anything.
  const fields = readText(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  if (children === undefined || fields === undefined) return undefined;
  // utime, stime, cutime, cstime: fields 14 to 17, and the third is the first here.
  const ticks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
  const running = children
    .split(' ')
    .slice(0, childrenMax)
    .reduce((sum, each) => sum + (each === '' ? 0 : (processMicroseconds(Number(each)) ?? 0)), 0);
  const all = (ticks / clockTicksPerSecond()) * 1e6 + running;
  return Number.isFinite(all) ? all : undefined;
}
