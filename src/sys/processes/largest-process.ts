/** Finds the process with the most memory, as the kernel's OOM killer would choose it. */
import { readText } from '../../../packages/base/io/read.ts';

/** Reads `/proc/PID/statm`: size, then resident, in pages. Source: proc_pid_statm(5). */
function residentPages(pid: number): number {
  const [, resident] = (readText(`/proc/${pid}/statm`) ?? '').split(' ');
  return Number(resident ?? 0);
}

export function largestProcess(pids: readonly number[]): number | undefined {
  let largest: number | undefined;
  let max = 0;
  for (const pid of pids) {
    const pages = residentPages(pid);
    if (pages > max) [largest, max] = [pid, pages];
  }
  return largest;
}
