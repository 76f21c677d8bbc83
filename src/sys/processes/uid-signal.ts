/**
 * Signals every process of a uid at once, so that none can fork meanwhile.
 *
 * kill(2) with pid -1 visits all processes under the lock that a fork needs, too. So none slips through, which no list
 * of pids can guarantee. It reaches processes whose real or saved uid is the sender's real or effective one, and
 * processes in user namespaces that the effective one made. So, during that one call, this thread has
 *
 *     real uid       nobody's, since root's would reach all of root's processes
 *     effective uid  the tenant's, which takes every capability away
 *     saved uid      root's, so that the tenant cannot signal us, and the way back is open
 *
 * The code reads this back from the kernel before it sends anything. Source: kill(2), credentials(7).
 */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { setThreadUids, signalEverybodyAllowed } from '../syscalls.ts';

/** No account can have it: useradd and user namespaces stay far below. */
const nobodys = 2 ** 32 - 3;

/**
 * Sends the signal; returns the error, if any. The kernel does not report whether there was a process to signal. The
 * uid is never root's or nobody's.
 */
export function signalUid(
  uid: number,
  signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL',
): Errno | undefined {
  assert(Number.isInteger(uid) && uid > 0 && uid < nobodys, `Cannot signal uid ${uid}`);
  const refused = setThreadUids(nobodys, uid, 0);
  if (refused !== undefined) return refused;
  try {
    return isOnly(uid) ? signalEverybodyAllowed(constants.signals[signal]) : 'EPERM';
  } catch (error) {
    return errnoOf(error);
  } finally {
    const stuck = setThreadUids(0, 0, 0);
    if (stuck !== undefined) process.abort();
  }
}

/** Whether this thread may signal only that uid's processes. */
function isOnly(uid: number): boolean {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  return status.includes(`\nUid:\t${nobodys}\t${uid}\t0\t`) && /^CapEff:\t0+$/m.test(status);
}
