/**
 * Sockets and services of a uid whose account was removed: the next account with that uid must not inherit anything. A
 * reload of the distribution's service removes their files.
 */
import { readText } from '../../../../../packages/base/io/read.ts';
import { runBounded } from '../../../../sys/processes/run-bounded.ts';

/** Returns units without an account. Sockets come first, since they would start the service again. */
export async function withoutAccount(
  units: readonly string[],
  isRemoved = isRemovedHere(),
): Promise<readonly string[]> {
  const byUid = Map.groupBy(units, (unit) => /@([1-9]\d{0,9})[.:]/.exec(unit)?.[1] ?? '');
  byUid.delete('');
  const gone = await Promise.all(
    [...byUid].map(async ([uid, of]) => ((await isRemoved(uid)) ? of : [])),
  );
  return gone.flat().sort((a, b) => Number(b.endsWith('.socket')) - Number(a.endsWith('.socket')));
}

function isRemovedHere(): (uid: string) => Promise<boolean> {
  const lines = (readText('/etc/passwd') ?? '').split('\n').map((line) => line.split(':')[2]);
  const known = new Set(lines);
  return async (uid) => {
    if (known.has(uid)) return false;
    // Accounts of a directory service are not in the file; only the exit status 2 means that there is none.
    const asked = await runBounded('getent', ['passwd', uid], { timeoutMs: 10_000 });
    return asked.ok && asked.value.status === 2;
  };
}
