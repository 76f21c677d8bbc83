/** Whether a session can be opened at all: with root's, which the step leaves alone. */
import { spawnSync } from 'node:child_process';

/** A service that PAM asks may not answer; logind has 25 s. */
const timeoutMs = 60_000;

/** `detached`: without the terminal of the caller, in which the session could type. */
const options = {
  cwd: '/',
  env: { PATH: '/usr/bin:/bin' },
  stdio: 'ignore',
  timeout: timeoutMs,
  killSignal: 'SIGKILL',
  detached: true,
} as const;

export const rootSessionWorks = (): boolean =>
  spawnSync('su', ['-s', '/bin/sh', '-c', ':', 'root'], options).status === 0;
