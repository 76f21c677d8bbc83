/**
 * What the launcher reads to find a tenant's groups: `/run/bulkhead/launch`.
 *
 *     join tasks
 *     root /sys/fs/cgroup/cpu/bulkhead
 *     root /sys/fs/cgroup/memory/bulkhead
 */
import { errnoOf, describeErrno } from './errno.ts';
import { replaceFile } from './replace-file.ts';
import { readText } from './read.ts';

export function publishLaunch(
  runtime: string,
  join: 'tasks' | 'cgroup.procs',
  roots: readonly string[],
): string | undefined {
  const path = `${runtime}/launch`;
  const text = [`join ${join}`, ...roots.map((root) => `root ${root}`), ''].join('\n');
  if (readText(path) === text) return undefined;
  try {
    replaceFile(path, text);
    return undefined;
  } catch (error) {
    return `Cannot write ${path}: ${describeErrno(errnoOf(error))}`;
  }
}
