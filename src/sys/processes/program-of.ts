/** The program that a process runs. */
import { spawnSync } from 'node:child_process';
import { linkAt } from '../../../packages/base/io/read.ts';

/**
 * Returns the path of its file, which another may have replaced since; empty for a kernel thread, and for a process
 * that has ended.
 */
export const programOf = (pid: string | number): string =>
  linkAt(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');

const patienceMs = 5_000;

/**
 * Returns the same for a process that is not root's and can make the caller wait for ever: another program asks, and is
 * killed after five seconds. Empty if nothing is known.
 */
export function programOfOther(pid: number | string): string {
  const { error, stdout } = spawnSync('/usr/bin/readlink', ['--', `/proc/${pid}/exe`], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  return error !== undefined ? '' : stdout.replace(/\n$/, '').replace(/ \(deleted\)$/, '');
}
