/** The number of files that this process may have open. */
import { readText } from '../../packages/base/io/read.ts';
import { raiseFileLimit } from './syscalls.ts';

/** Parses `Max open files   1024   524288   files`. Source: proc_pid_limits(5). */
export function openFilesLimit(text = readText('/proc/self/limits') ?? ''): number {
  return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? 1024);
}

/** Raises the limit to `wanted` if it is lower and may be raised. Returns the resulting limit. */
export function ensureOpenFiles(wanted: number): number {
  if (openFilesLimit() < wanted) raiseFileLimit(wanted);
  return openFilesLimit();
}
