/** Runs the program of one role until it has reported, until enough was seen, or until its time is over. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryFile } from '../../sys/package-files.ts';
import type { ServerUser } from './server-user.ts';
import type { Role, Stage, Start } from '../core/attack.ts';
import { parseSaid, type Said } from '../core/outcome.ts';

/** The time limit. Nothing takes so long; the program is killed then, and judged by what was seen. */
const secondsMax = 90;
const pollMilliseconds = 50;
const outputMax = 64 * 1024;
/** The time to read the rest of the output when the first process has ended. */
const restMilliseconds = 500;

export interface Ran {
  readonly said: Said | undefined;
  readonly ended: string;
  readonly seconds: number;
}

export interface Launching {
  readonly instance: string;
  readonly stage: Stage;
  /** The user as whom a server reads. */
  readonly server: ServerUser;
  readonly signal: AbortSignal;
}

/** Runs a program; calls `enough` every now and then, which also watches. */
export async function runProgram(
  role: Role,
  start: Start,
  launching: Launching,
  enough: (seconds: number) => boolean = () => false,
): Promise<Ran> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  using running = launch(role, start, launching);
  while (!running.isDone() && !launching.signal.aborted) {
    if (enough(seconds()) || seconds() > secondsMax) break;
    await sleep(pollMilliseconds);
  }
  if (running.isDone()) await running.rest();
  return { said: parseSaid(running.output()), ended: running.ended(), seconds: seconds() };
}

function launch(role: Role, start: Start, launching: Launching) {
  const [command, ...args] = commandOf(role, start, launching) as [string, ...string[]];
  const leak = start.leak === undefined ? undefined : openSync(start.leak, 'r');
  const child = spawn(command, args, {
    cwd: start.cwd ?? '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...(leak === undefined ? [] : [leak])],
  });
  if (leak !== undefined) closeSync(leak);
  const output = collect(child);
  let status = 'still running';
  const closed = once(child, 'close').catch(() => {});
  child.on('error', (error) => (status = error.message));
  child.on('exit', (code, signal) => (status = signal ?? `exit status ${code}`));
  const ended = () => status !== 'still running';
  return {
    output: () => output.stdout,
    isDone: () => ended() || parseSaid(output.stdout) !== undefined,
    /** Waits for the rest of the output, unless other processes keep the pipe open. */
    rest: async () => {
      if (parseSaid(output.stdout) === undefined)
        await Promise.race([closed, sleep(restMilliseconds)]);
    },
    ended: () => [status, ...output.stderr.trim().split('\n', 1)].filter(Boolean).join(', '),
    [Symbol.dispose]: () => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => {
      if (output[name].length < outputMax) output[name] += chunk.toString('latin1');
    });
  return output;
}

/** Returns the command; tenants' programs are started by the launcher, as always. */
function commandOf(
  role: Role,
  { program, keepDescriptors, plain, daemon, outside }: Start,
  { instance, stage, server }: Launching,
): readonly string[] {
  if (role === 'server') return becoming(server, program);
  const own = becoming({ uid: stage.uids[role], gid: stage.uids[role] }, program);
  if (outside === true) return own;
  const isJailed = stage.jailed && role !== 'control';
  if (daemon === true || (plain === true && !isJailed)) return inCgroups(stage.cgroups[role], own);
  const options = ['--instance', instance, '--allow-setuid'];
  if (keepDescriptors === true) options.push('--keep-fds');
  // Nothing else starts outside a jail: that would be a separate attack.
  options.push(...(plain === true ? ['--without-jail'] : ['--chdir', stage.homes[role]]));
  return [entryFile('bulkhead-exec'), ...options, String(stage.uids[role]), '--', ...program];
}

/** Returns a command in which the shell moves itself there and becomes the program. */
const inCgroups = (cgroups: readonly string[], command: readonly string[]) => {
  const move =
    'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', move, 'sh', ...cgroups, '--', ...command];
};

const becoming = ({ uid, gid, groups }: ServerUser, program: readonly string[]) => {
  const which = groups === 'its own' ? '--init-groups' : '--clear-groups';
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, which, '--', ...program];
};
