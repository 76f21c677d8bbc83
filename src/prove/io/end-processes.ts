/**
 * Ends the processes of scratch tenants: all of a uid at once, which no fork escapes, and again until their cgroup is
 * empty. These uids belong to nobody else: `findFreeUids` has made sure of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from '../../host/driver.ts';
import { signalUid } from '../../sys/processes/uid-signal.ts';

const roundMilliseconds = 20;
const roundsMax = 500;

/** Returns how many are left after ten seconds. */
export async function endProcesses(uid: number, driver: Driver): Promise<number> {
  const cgroup = `u${uid}`;
  for (let round = 1; ; round++) {
    signalUid(uid, 'SIGKILL');
    const left = driver.processes(cgroup).length;
    // The ended processes are counted until they are reaped.
    const counted = driver.counters(cgroup)?.threads ?? 0;
    if (left === 0 && counted === 0) return 0;
    if (round === roundsMax) return left;
    await sleep(roundMilliseconds);
  }
}
