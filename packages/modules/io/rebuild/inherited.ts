/**
 * Descriptors that this process was started with, besides the first three. A shell or a service may
 * have left a file open, and a child would get it too. Node's own are closed in a child.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { namesIn } from '../../../base/io/read.ts';

const descriptorsMax = 1024;

interface Covering extends Disposable {
  /**
   * Entries for `spawn`, after the first `from`: they give a child /dev/null for each inherited
   * descriptor.
   */
  readonly stdio: readonly (number | 'ignore')[];
}

export function coverInherited(from: number): Covering {
  const inherited = new Set(inheritedDescriptors().filter((each) => each >= from));
  if (inherited.size === 0) return { stdio: [], [Symbol.dispose]: () => {} };
  const nothing = openSync('/dev/null', 'r+');
  const length = Math.max(...inherited) + 1 - from;
  const stdio = Array.from({ length }, (_, index) =>
    inherited.has(from + index) ? nothing : ('ignore' as const),
  );
  return { stdio, [Symbol.dispose]: () => closeSync(nothing) };
}

/** Lists inherited descriptors. Source: proc_pid_fdinfo(5). */
function inheritedDescriptors(): readonly number[] {
  return namesIn('/proc/self/fdinfo')
    .map(Number)
    .filter((each) => each < descriptorsMax && !closesOnExec(`/proc/self/fdinfo/${each}`));
}

/**
 * Whether a descriptor closes on exec: `flags:	02100002`, octal. One that is closed by now is not
 * inherited.
 */
function closesOnExec(path: string): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
    return Math.floor(Number.parseInt(flags, 8) / 0o2000000) % 2 === 1;
  } catch {
    return true;
  }
}
