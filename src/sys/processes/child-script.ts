/** A script as a process of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { failed, type Cause, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { constants } from 'node:os';
import { causeOf } from '../errno.ts';
import { signalAtEndOfParent } from '../syscalls.ts';

/**
 * Small: a heap of a few megabytes, of which the young half would be many more. One thread: those of
 * the engine would have it wait for them, and do not have the priority that the first may ask for.
 */
const nodeOptions = (heapMebibytes: number) => [
  '--max-semi-space-size=1',
  `--max-old-space-size=${heapMebibytes}`,
  '--v8-pool-size=0',
  '--single-threaded',
];

/**
 * Started, or why not. In a session of its own: Ctrl-C at a terminal ends us first, and a child when
 * its input ends. Nothing is inherited that a service manager has told its parent.
 */
export function spawnScript(
  script: string,
  args: readonly string[] = [],
  heapMebibytes = 256,
): Result<ChildProcessWithoutNullStreams, Problem> {
  const cannot = (cause: Cause) => failed({ ...cause, action: 'start', object: script });
  try {
    const child = spawn(process.execPath, [...nodeOptions(heapMebibytes), script, ...args], {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', PARENT: `${process.pid}` },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    if ((child.stdin as unknown) !== undefined) return ok(child);
    child.on('error', () => {});
    return cannot({ reason: 'this process has too many files open', errno: 'EMFILE' });
  } catch (error) {
    return cannot(causeOf(error));
  }
}

/**
 * For a script that changes the host, and must not when who asked for it is gone: it is killed with its parent, and ends
 * at once where that has ended before.
 */
export function endWithParent(): void {
  signalAtEndOfParent(constants.signals.SIGKILL);
  if (process.env['PARENT'] !== `${process.ppid}`) process.exit(1);
}

export interface ChildOutput {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * All that it writes, once it has ended; a child that writes more than `bytesMax` to one of them is killed. `heard` gets what
 * it writes to its standard error meanwhile.
 */
export async function outputOf(
  child: ChildProcessWithoutNullStreams,
  bytesMax: number,
  heard: (chunk: Buffer) => void = () => {},
): Promise<ChildOutput> {
  const read = async (from: AsyncIterable<Buffer>, hear: (chunk: Buffer) => void = () => {}) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of from) {
      hear(chunk);
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else child.kill('SIGKILL');
    }
    return Buffer.concat(chunks);
  };
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr, heard)]);
  return { stdout, stderr };
}
