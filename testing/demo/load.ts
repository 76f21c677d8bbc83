/**
 * The loads, as programs for a POSIX shell and coreutils, and the code that starts and ends them.
 *
 * The launcher starts each, so that it is the tenant from its first instruction on. None outlives
 * `longestSeconds`, even if the demo is killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitKey } from '../../src/limits/limit.ts';
import { launcher, paths } from './place.ts';

/** Facts that decide how much a load takes. */
interface LoadContext {
  /** The limit that the load goes against. */
  readonly limit: number;
  /** The core for tenants that share one. */
  readonly core: number;
  readonly scratch: DemoFiles | undefined;
}

/** The files that a tenant may read and write on the disk. */
export interface DemoFiles {
  readonly directory: (uid: number) => string;
  readonly fileBytes: number;
}

export interface Load {
  readonly uid: number;
  readonly script: string;
  readonly arguments: (context: LoadContext) => readonly string[];
  /** Whether it starts again when it has ended and at most half of the limit is in use. */
  readonly again: boolean;
}

const longestSeconds = 20;
/** The factor of the limit that a disk load moves at most if the limit is not enforced. */
const limitFactorMax = 4;
const expectedSeconds = 10;
export const operationBytes = 4096;
export const blockBytes = 128 * 1024;

export function busyLoopLoad(uid: number, options?: { readonly onOneCore: boolean }): Load {
  const pin = 'taskset -cp "$1" $$ >/dev/null 2>&1; ';
  return {
    uid,
    script: `${options?.onOneCore === true ? pin : ''}while :; do :; done`,
    arguments: ({ core }) => [String(core)],
    again: false,
  };
}

/**
 * Fills memory: tail keeps everything that it reads while no line ends. It gets two and a half
 * times the limit.
 */
export const memoryHogLoad = (uid: number): Load => ({
  uid,
  script: `i=0
while [ $i -lt 20 ]; do head -c "$1" /dev/zero || break; sleep 0.1; i=$((i + 1)); done |
  tail >/dev/null`,
  arguments: ({ limit }) => [String(Math.min(2 ** 27, Math.ceil(limit / 8)))],
  again: true,
});

/** Forks: each process starts two, nine deep, which makes 511 if nothing refuses them. */
export const forkStormLoad = (uid: number): Load => ({
  uid,
  script: `storm() {
  [ "$1" = 0 ] && exec sleep 1
  storm $(($1 - 1)) &
  storm $(($1 - 1)) &
  wait
}
storm 8`,
  arguments: () => [],
  again: true,
});

const repeated = (command: string) => `i=0
while [ $i -lt "$2" ]; do ${command} || exit; i=$((i + 1)); done`;

const isOperations = (key: LimitKey) => key === 'io.reads' || key === 'io.writes';

function disk(uid: number, key: LimitKey, command: string, file: string): Load {
  const bytes = isOperations(key) ? operationBytes : blockBytes;
  return {
    uid,
    script: repeated(command),
    arguments({ limit, scratch }) {
      if (scratch === undefined) throw new Error('There are no scratch files');
      const rate = isOperations(key) ? limit * operationBytes : limit;
      const rounds = Math.ceil((limitFactorMax * rate * expectedSeconds) / scratch.fileBytes);
      const path = `${scratch.directory(uid)}/${file}`;
      return [path, String(rounds), String(bytes), String(scratch.fileBytes / bytes)];
    },
    again: false,
  };
}

export const diskReader = (uid: number, key: LimitKey): Load =>
  disk(uid, key, 'dd if="$1" of=/dev/null bs="$3" iflag=direct', 'read');

export const diskWriter = (uid: number, key: LimitKey): Load =>
  disk(uid, key, 'dd if=/dev/zero of="$1" bs="$3" count="$4" oflag=direct conv=notrunc', 'write');

/** The launcher's own errors; the others come from programs that are meant to fail. */
const launcherError = /^bulkhead: .*$/m;
const errorCharactersMax = 4096;
const betweenRoundsMilliseconds = 300;
const endMilliseconds = 2000;

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

/** Starts loads and ends them all. */
export class Loads {
  readonly #running = new Set<Running>();
  readonly #problems = new Map<Load, string>();
  #stopped = false;

  /** Starts a load; `mayStart` is called before a load that starts again. */
  start(load: Load, context: LoadContext, mayStart: () => boolean): void {
    if (this.#stopped) return;
    const running = this.#spawn(load, context);
    if (load.again) void running.ended.then(() => this.#restart(load, context, mayStart));
  }

  async #restart(load: Load, context: LoadContext, mayStart: () => boolean): Promise<void> {
    do await sleep(betweenRoundsMilliseconds, undefined, { ref: false });
    while (!this.#stopped && !mayStart());
    this.start(load, context, mayStart);
  }

  #spawn(load: Load, context: LoadContext): Running {
    const bounded = ['nice', '-n', '19', 'timeout', '-s', 'KILL', String(longestSeconds)];
    const command = [...bounded, 'sh', '-c', load.script, 'sh', ...load.arguments(context)];
    // A separate process group: Ctrl-C is for the demo, which then ends the loads.
    const child = spawn(
      launcher,
      ['--instance', paths.instance, '--chdir', '/', String(load.uid), '--', ...command],
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    );
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < errorCharactersMax) errors += text;
      const found = launcherError.exec(errors)?.[0];
      if (found !== undefined) this.#problems.set(load, found.slice('bulkhead: '.length));
    });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const running: Running = { child, ended };
    child.on('error', (error) => {
      this.#problems.set(load, `Cannot start ${launcher}: ${error.message}`);
      resolve();
    });
    child.on('exit', () => resolve());
    this.#running.add(running);
    void ended.then(() => this.#running.delete(running));
    return running;
  }

  problemOf(loads: readonly Load[]): string | undefined {
    return loads.map((each) => this.#problems.get(each)).find((each) => each !== undefined);
  }

  /** Ends the loads that were started here; their descendants end with the tenants' cgroups. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const running = [...this.#running];
    for (const { child } of running) killGroup(child);
    await Promise.race([
      Promise.all(running.map((each) => each.ended)),
      sleep(endMilliseconds, undefined, { ref: false }),
    ]);
    for (const { child } of running) child.stderr?.destroy();
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
