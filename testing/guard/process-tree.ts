/** The processes of this machine as a tree, from `/proc/PID/stat`: `12 (a) name) S 1 …`. */
import { readdirSync, readFileSync } from 'node:fs';

interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  /** The state in stat: `R` running, `T` stopped, `Z` exited and not yet reaped. */
  readonly state: string;
}

export function findAllProcesses(): readonly FoundProcess[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? findProcess(name) : []));
}

function findProcess(pid: string): readonly FoundProcess[] {
  const text = readStat(pid);
  const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || parent === undefined) return [];
  return [{ pid: Number(pid), parent: Number(parent), state }];
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return ''; // It is gone.
  }
}

/** Returns all descendants of a process that still run. */
export function descendantsOf(ancestor: number): readonly FoundProcess[] {
  const children = new Map<number, FoundProcess[]>();
  for (const each of findAllProcesses()) {
    const siblings = children.get(each.parent);
    if (siblings === undefined) children.set(each.parent, [each]);
    else siblings.push(each);
  }
  const found: FoundProcess[] = [];
  for (let next: readonly FoundProcess[] = children.get(ancestor) ?? []; next.length > 0;) {
    found.push(...next);
    next = next.flatMap(({ pid }) => children.get(pid) ?? []);
  }
  return found.filter(({ state }) => state !== 'Z' && state !== 'X');
}
