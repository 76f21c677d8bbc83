/** The directory of what Bulkhead changed of the host's network, and its lock. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';

export const networkStateOf = ({ state }: Pick<Paths, 'state'>): string => `${state}/network`;

/** Locks from reading a record to the last change. The thread sleeps while another process has the lock. */
export function lockNetwork(paths: Paths, waitMs: number): Result<FileLock, Problem> {
  const directory = ensurePrivateDirectory(networkStateOf(paths));
  if (!directory.ok) return directory;
  return lockFile(`${networkStateOf(paths)}/.lock`, { waitMs });
}
