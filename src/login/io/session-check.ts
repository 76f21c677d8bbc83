/** Whether a session can be opened at all: with root's, which the step leaves alone. */
import { spawnSync } from 'node:child_process';

/** A service that PAM asks may not answer; logind has 25 s. */
const timeoutMs = 60_000;

/** Without a terminal, so that nothing in the session can type into that of the caller. */
export function rootSessionWorks(): boolean {
  const { status } = spawnSync(
    '/usr/bin/setsid',
    ['--wait', '/usr/bin/su', '-s', '/bin/sh', '-c', ':', 'root'],
    {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: 'ignore',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    },
  );
  return status === 0;
}
