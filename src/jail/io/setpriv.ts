/** Whether this host's setpriv can load a seccomp filter: util-linux 2.41 and newer. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export function canFilter(): boolean {
  if (process.arch !== 'x64' && process.arch !== 'arm64') return false;
  if (!existsSync('/proc/sys/kernel/seccomp')) return false;
  const { stdout } = spawnSync('/usr/bin/setpriv', ['--help'], {
    encoding: 'utf8',
    timeout: 10_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return (stdout ?? '').includes('--seccomp-filter');
}
