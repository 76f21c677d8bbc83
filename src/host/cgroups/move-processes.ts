/**
 * Moves all processes of a cgroup into another one of the same tenant, while they fork.
 *
 * Listing again catches processes forked meanwhile. If that does not end, since each process forks its successor and
 * exits before its turn, the tenant may not fork for a moment. If this program is killed then, `pids.max` stays wrong
 * until the next apply corrects it.
 */
import { dividedCgroup } from '../../plan/wanted.ts';
import { sleepSync } from '../../sys/sleep.ts';
import type { Hierarchy } from './hierarchies.ts';

/** The file that lists processes, and to which they are written to move them: whole processes, not threads. */
export const processFile = 'cgroup.procs';

/** Two are enough unless the tenant forks on and on. */
const rounds = 10;
/** Rounds while nothing can be forked: forks already in progress appear within moments. */
const heldRounds = 100;
const heldMilliseconds = 5;

/** Moves the processes. Returns false if some are left. */
export function moveProcesses(
  hierarchies: readonly Hierarchy[],
  from: string,
  to: string,
): boolean {
  for (let round = 0; round < rounds; round++) if (moveListed(hierarchies, from, to)) return true;
  using _held = withoutForks(hierarchies, dividedCgroup(from) ?? from);
  for (let round = 0; round < heldRounds; round++) {
    if (moveListed(hierarchies, from, to)) return true;
    sleepSync(heldMilliseconds);
  }
  return false;
}

/** Whether there was none to move. */
function moveListed(hierarchies: readonly Hierarchy[], from: string, to: string): boolean {
  let moved = 0;
  for (const { files } of hierarchies) {
    for (const pid of pidsOf(files.read(from, processFile))) {
      moved++;
      files.write(to, processFile, String(pid));
    }
  }
  return moved === 0;
}

function withoutForks(hierarchies: readonly Hierarchy[], cgroup: string): Disposable {
  const files = hierarchies.find(({ controllers }) => controllers.has('pids'))?.files;
  const before = files?.read(cgroup, 'pids.max')?.trim();
  const set = (text: string) => before !== undefined && files?.write(cgroup, 'pids.max', text);
  set('0');
  return { [Symbol.dispose]: () => void set(before ?? '') };
}

export const pidsOf = (text: string | undefined): readonly number[] =>
  (text ?? '')
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
