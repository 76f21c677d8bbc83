/**
 * A process that cleans up at once if this program is killed: a shell that waits for the end of a pipe. It does nothing
 * after the message that all is well. It tries again for some minutes: a process whose writes the disk limit delays
 * does not die before they are written.
 */
import { spawn } from 'node:child_process';
import type { Paths } from '../../host/paths.ts';

const script = `read -r word && exit
tries=100
until "$@"; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 1
  sleep 3
done`;

export interface Watchdog {
  /** Stops the watchdog: afterwards it cleans nothing any more. */
  stop(): Promise<void>;
}

export function startWatchdog({ instance }: Paths): Watchdog {
  const [, main = ''] = process.argv;
  const clean = [process.execPath, ...process.execArgv, main, '--instance', instance];
  const child = spawn('/bin/sh', ['-c', script, 'bulkhead-prove', ...clean, 'prove', '--clean'], {
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    // Ctrl-C at a terminal must not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  return { stop: () => new Promise((resolve) => child.stdin.end('done\n', () => resolve())) };
}
