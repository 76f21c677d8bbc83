/**
 * The file in which the launcher finds a tenant's cgroups: `/run/bulkhead/launch`.
 *
 *     join tasks
 *     root /sys/fs/cgroup/cpu/bulkhead
 *     root /sys/fs/cgroup/memory/bulkhead
 *     slices /sys/fs/cgroup/user.slice            with the systemd driver: the parent of tenants without a reseller
 *     clear env                                   only if setpriv is too old to do it
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { readText } from '../../../packages/base/io/read.ts';

export function publishLaunch(
  runtime: string,
  join: 'tasks' | 'cgroup.procs',
  roots: readonly string[],
  slices?: string,
): Result<void, Problem> {
  const path = `${runtime}/launch`;
  const lines = [
    `join ${join}`,
    ...(slices === undefined ? [] : [`slices ${slices}`]),
    ...roots.map((root) => `root ${root}`),
  ];
  const plain = `${lines.join('\n')}\n`;
  const withClear = `${plain}${clearLine}`;
  const now = readText(path);
  if (now === plain || now === withClear) return ok(undefined);
  return replaceFile(path, setprivResetsEnvironment() ? plain : withClear);
}

/** Removes the file. The launcher then reports that no policy is in force. */
export function withdrawLaunch(runtime: string): void {
  rmSync(`${runtime}/launch`, { force: true });
}

/** Makes the launcher clear the environment itself. */
const clearLine = 'clear env\n';

/** Whether setpriv can clear the environment: util-linux 2.33 or newer; enterprise Linux 8 has an older one. */
function setprivResetsEnvironment(): boolean {
  try {
    const help = execFileSync('setpriv', ['--help'], {
      encoding: 'utf8',
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return help.includes('--reset-env');
  } catch {
    return true;
  }
}
