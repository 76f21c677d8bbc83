/** The priority of processes that the agent starts: they inherit its own, which is above that of others. */
import { getPriority, setPriority } from 'node:os';

/** Makes a process at least so nice, as nice(1) has it; 0 is the priority of most. One that has ended is none. */
export function beNice(pid: number | undefined, niceness = 0): void {
  if (pid === undefined) return;
  try {
    if (getPriority(pid) < niceness) setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}
