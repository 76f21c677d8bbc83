/** Runs a script as a process of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { constants } from 'node:os';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { signalAtEndOfParent } from '../syscalls.ts';
import { noteExit, ownBuild } from './same-build.ts';

/** Processes that read whole policies: with a small young half, most of what they drop would have to be found twice. */
const largeHeapMebibytes = 1024;

/**
 * Options for a process with one thread. The heap of a small one has a few megabytes, of which the young half would take
 * many more. The engine's threads would delay it, and do not have the priority that the first thread may request.
 */
const nodeOptions = (heapMebibytes: number) => [
  `--max-semi-space-size=${heapMebibytes < largeHeapMebibytes ? 1 : 16}`,
  `--max-old-space-size=${heapMebibytes}`,
  '--v8-pool-size=0',
  '--single-threaded',
];

/**
 * Starts the script, or returns why it could not. It gets a session of its own: Ctrl-C at a terminal ends us first, and
 * the child when its input ends. It inherits no variables that a service manager has set for its parent.
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
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LANG: 'C.UTF-8',
        PARENT: `${process.pid}`,
        BUILD: ownBuild,
      },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.on('exit', noteExit);
    if ((child.stdin as unknown) !== undefined) return ok(child);
    child.on('error', () => {});
    return cannot({ reason: 'this process has too many files open', errno: 'EMFILE' });
  } catch (error) {
    return cannot(causeOf(error));
  }
}

/**
 * Ends this script with its parent, for a script that changes the host and must not outlive its caller. It is killed
 * with its parent, and exits at once if the parent has ended already.
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
 * Returns all output once the child has ended; kills a child that writes more than `bytesMax` to one of the streams.
 * `heard` receives its standard error meanwhile.
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
