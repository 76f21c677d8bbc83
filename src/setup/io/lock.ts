/** One setup at a time. The lock is beside the runtime directory of the instance, which `undo` removes. */
import { fail, type Result } from '../../../packages/base/result.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';

export const setupLock = ({ runtime }: Pick<Paths, 'runtime'>): string => `${runtime}-setup.lock`;

/** Takes the lock; tries once if it is not to wait. */
export function lockSetup(paths: Pick<Paths, 'runtime'>, waitMs = 0): Result<FileLock, Problem> {
  const lock = lockFile(setupLock(paths), { waitMs });
  return lock.ok ? lock : fail({ ...lock.error, hint: 'another setup runs; wait for it' });
}
