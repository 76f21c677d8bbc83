/**
 * Runs one action at a time, each on fresh state. A caller that waited for a lock may find another state than before,
 * for example that its feature has been disabled. So `act` itself reads the facts that decide, never code before it.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from './flock.ts';

/** Long enough for another command that reloads a web server, or applies a policy for many tenants. */
const waitMs = 120_000;

export function underLock<T>(
  path: string,
  act: () => Result<T, Problem>,
  withinMs = waitMs,
): Result<T, Problem> {
  const lock = lockAt(path, withinMs);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  return act();
}

export async function underLockAsync<T>(
  path: string,
  act: () => Promise<Result<T, Problem>>,
  withinMs = waitMs,
): Promise<Result<T, Problem>> {
  const lock = lockAt(path, withinMs);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  return await act();
}

function lockAt(path: string, withinMs = waitMs): Result<FileLock, Problem> {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: directory, ...causeOf(error) });
  }
  return lockFile(path, { waitMs: withinMs });
}
