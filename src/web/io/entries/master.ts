/** The master of a web server, by the file with its process id, and its workers. */
import { basename } from 'node:path';
import { readText } from '../../../../packages/base/io/read.ts';
import { programOf } from '../../../sys/processes/program-of.ts';

/** Returns the master's pid; nothing if that program does not run. */
export function masterAt(pidFile: string, program: string): number | undefined {
  const pid = /^\d{1,10}$/.exec((readText(pidFile) ?? '').trim())?.[0];
  if (pid === undefined) return undefined;
  return basename(programOf(pid)) === basename(program) ? Number(pid) : undefined;
}

const workersOf = (master: number): readonly string[] =>
  (readText(`/proc/${master}/task/${master}/children`) ?? '').trim().split(' ').filter(Boolean);

const withinMs = 20_000;
const pauseMs = 50;

/**
 * Must be called before a reload. The function that it returns waits for a new worker, and until no earlier worker
 * `takesConnections`. It returns whether that happened in time.
 */
export function waitForWorkers(
  master: number,
  takesConnections: (pid: string) => boolean,
): () => Promise<boolean> {
  const before = new Set(workersOf(master));
  const hasTaken = () => {
    const now = workersOf(master);
    return (
      now.some((each) => !before.has(each)) &&
      !now.some((each) => before.has(each) && takesConnections(each))
    );
  };
  return async () => {
    const until = performance.now() + withinMs;
    while (performance.now() < until) {
      if (hasTaken()) return true;
      await new Promise((settle) => setTimeout(settle, pauseMs));
    }
    return false;
  };
}
