/**
 * Locks between processes, by flock(1). The kernel releases them when their owner ends, so none is
 * ever left behind, and they work across process-id namespaces.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { execute, spawnBound } from './command.ts';

type LockKind = 'shared' | 'exclusive';
export interface Lock extends AsyncDisposable {
  readonly file: string;
}

/**
 * Returns the command that takes a lock on a file, then becomes another command and keeps the lock.
 */
export const lockArgv = (kind: LockKind, file: string): string[] => [
  'flock',
  '--no-fork',
  `--${kind}`,
  file,
];

/**
 * Waits for a lock on a file, which is created when absent. The lock lasts until it is disposed of
 * or this process ends, and does not keep this process from ending.
 */
export async function takeLock(kind: LockKind, file: string): Promise<Lock> {
  const argv = [...lockArgv(kind, file), 'sh', '-c', 'echo held && exec cat >/dev/null'];
  const child = spawnBound(argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  await announced(child, file);
  for (const handle of [child, child.stdin, child.stdout] as { unref?(): void }[]) handle.unref?.();
  return {
    file,
    async [Symbol.asyncDispose]() {
      child.ref();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function announced(child: ChildProcess, file: string): Promise<void> {
  const failed = once(child, 'exit').then(([status]) => {
    throw new Error(`Cannot lock "${file}": flock exited with status ${status}`);
  });
  await Promise.race([once(child.stdout!, 'data'), failed]);
  failed.catch(() => {}); // From now on its end is the release.
}

/** Whether nobody holds a lock on the file; a file that is not there is nobody's. */
export async function isUnlocked(file: string): Promise<boolean> {
  const argv = ['flock', '--nonblock', '--exclusive', '--conflict-exit-code', '75', file, 'true'];
  return (await execute(argv)).status !== 75;
}
