/** A fresh directory that only we can enter. It is removed with its contents: when done, at exit, on signals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryProblem, pinDirectory } from './pinned-directory.ts';

export interface PrivateDirectory extends Disposable {
  readonly path: string;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Returns a parent in which others cannot rename our files: TMPDIR may be a leftover of somebody else's session. */
function safeParent(): string {
  return [tmpdir(), '/tmp', '/var/tmp'].find(isSafe) ?? '/tmp';
}

function isSafe(path: string): boolean {
  const pinned = pinDirectory(path);
  if (!pinned.ok) return false;
  using directory = pinned.value;
  return directoryProblem(directory) === undefined;
}

/**
 * Makes the directory. Throws Node's errors. `parent` is a directory in which others cannot rename, such as /tmp with
 * its sticky bit.
 */
export function privateDirectory(parent: string = safeParent()): PrivateDirectory {
  const path = mkdtempSync(join(parent, 'bulkhead-'));
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 2 });
  const onSignal = (signal: NodeJS.Signals) => {
    dispose();
    // Unless somebody else listens, the signal has its usual effect and status.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const dispose = () => {
    process.off('exit', remove);
    for (const signal of signals) process.off(signal, onSignal);
    remove();
  };
  process.on('exit', remove);
  for (const signal of signals) process.on(signal, onSignal);
  return { path, [Symbol.dispose]: dispose };
}
