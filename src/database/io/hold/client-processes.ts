/**
 * Finds which processes have one of some sockets. Another program reads the links of their open files, since a process can
 * make its reader wait:
 *
 *     /proc/4711/fd socket:[81536]
 */
import { spawn } from 'node:child_process';
import { Lines } from '../../../sys/lines.ts';

/** More processes are all taken for clients. */
const processesMax = 5_000;
const searchMilliseconds = 1_500;
/** A killed program gets as long to end. */
const endMilliseconds = 500;
const lineBytesMax = 1_024;
const program = '/usr/bin/find';

/** Returns those that have one, or all if that cannot be found out in time. Nothing of the list is kept but what is found. */
export function processesWith(
  proc: string,
  pids: readonly number[],
  sockets: Pick<ReadonlySet<number>, 'has'>,
  { find = program, milliseconds = searchMilliseconds } = {},
): Promise<ReadonlySet<number>> {
  if (pids.length === 0) return Promise.resolve(new Set());
  if (pids.length > processesMax) return Promise.resolve(new Set(pids));
  const { promise, resolve } = Promise.withResolvers<ReadonlySet<number>>();
  const found = new Set<number>();
  const lines = new Lines(lineBytesMax, (line) => {
    const [, pid, inode] = /\/(\d+)\/fd socket:\[(\d+)\]$/.exec(line) ?? [];
    if (pid !== undefined && sockets.has(Number(inode))) found.add(Number(pid));
  });
  const directories = pids.map((pid) => `${proc}/${pid}/fd`);
  const tests = ['-maxdepth', '1', '-lname', 'socket:*', '-printf', '%h %l\\n'];
  const child = spawn(find, [...directories, ...tests], {
    cwd: '/',
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const all = () => resolve(new Set(pids));
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const last = setTimeout(() => {
    child.stdout.destroy();
    child.unref();
    all();
  }, milliseconds + endMilliseconds);
  child.stdout.on('data', (chunk: Buffer) => {
    if (!lines.add(chunk)) child.kill('SIGKILL');
  });
  child.on('error', all);
  child.on('close', (_status, signal) => {
    clearTimeout(timer);
    clearTimeout(last);
    // It ends with a status if a process has gone meanwhile.
    if (signal === null) resolve(found);
    else all();
  });
  return promise;
}
