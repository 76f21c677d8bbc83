/** A script beside the one that asks, as a process of its own: from sources and when built. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** `scriptBeside(import.meta.url, './evidence/main')`. */
export function scriptBeside(from: string, name: string): string {
  return fileURLToPath(new URL(`${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from));
}

/** Small: young objects get little room, since these processes live long and do little. */
const smallHeap = ['--max-semi-space-size=1', '--max-old-space-size=256'];

export function spawnScript(
  script: string,
  args: readonly string[] = [],
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [...smallHeap, script, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A child must not inherit what a service manager has told its parent.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
  });
}
