/** How tests wait for the end of a process that they have started. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { patienceMilliseconds } from './patience.ts';

/**
 * Waits for the end of a process, which may have come already, and returns its status. A process that does not end is
 * killed, and that is an error. Pipes that its children hold open are not waited for.
 */
export async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, patienceMilliseconds);
  try {
    await once(child, 'exit');
  } finally {
    clearTimeout(timer);
  }
  if (isLate) throw new Error(`"${child.spawnfile}" did not end, and was killed`);
  return child.exitCode;
}
