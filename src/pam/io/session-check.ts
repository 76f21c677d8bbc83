/** Checks that a session can be opened at all: root's, in which the step does nothing. */
import { spawnSync } from 'node:child_process';

/** The time limit: a service that PAM asks may not answer; logind has 25 s. */
const timeoutMs = 60_000;

/** The options; `detached` takes the caller's terminal away, in which the session could type. */
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
