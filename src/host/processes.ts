/** Ending and looking at processes. Only those of a tenant's group are ever named here. */
import { sleepSync } from './sleep.ts';

const rounds = 100;
const roundMilliseconds = 20;

/**
 * SIGKILL to all that `list` names, again until it names none, since they may fork meanwhile.
 * Answers what is left after two seconds.
 */
export function endProcesses(list: () => readonly number[]): readonly number[] {
  for (let round = 0; round < rounds; round++) {
    const pids = list();
    if (pids.length === 0) return pids;
    for (const pid of pids) kill(pid);
    sleepSync(roundMilliseconds);
  }
  return list();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
