/**
 * What the launcher reads to find a tenant's cgroups: `/run/bulkhead/launch`.
 *
 *     join tasks
 *     root /sys/fs/cgroup/cpu/bulkhead
 *     root /sys/fs/cgroup/memory/bulkhead
 *     slices /sys/fs/cgroup/user.slice            with the driver systemd: where tenants without a reseller are
 *     clear env                                   only if setpriv is too old to do it
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import { readText } from '../../sys/files/read.ts';

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

/** Without it the launcher reports that no policy is in force. */
export function withdrawLaunch(runtime: string): void {
  rmSync(`${runtime}/launch`, { force: true });
}

/** Tells the launcher to clear the environment by itself. */
const clearLine = 'clear env\n';

/** util-linux has it since 2.33; enterprise Linux 8 is older. */
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
