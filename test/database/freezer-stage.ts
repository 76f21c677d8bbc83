/** Cgroups of this machine that can be frozen, with processes that fork all the time. */
import '../../testing/guard/here.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { findHierarchies1, findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { readText } from '../../packages/base/io/read.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { stopDirectory, stopFile } from '../../src/host/stops.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const agentScript = fileURLToPath(new URL('freezing-agent.ts', import.meta.url));

/** The mount points of hierarchies in which cgroups can be frozen: v1's freezer, v2. */
export function freezers(): Readonly<Partial<Record<'v1' | 'v2', string>>> {
  const paths = pathsOf();
  const v1 = findHierarchies1(paths).find(({ controllers }) => controllers.has('freezer'));
  const v2 = findUnified(paths);
  return {
    ...(v1 === undefined ? {} : { v1: v1.mountPoint }),
    ...(v2 === undefined ? {} : { v2: v2.mountPoint }),
  };
}

/** The places in which tasks of v1 wait for a thaw: the freezer, and vfork() for a child that is in it. */
const restingPlaces = ['__refrigerator', 'kernel_clone'];

/** Returns where each process of a cgroup waits, as in "4711 __refrigerator"; undefined if one may go on by itself. */
function tasksAtRest(cgroup: string): string | undefined {
  const pids = pidsIn(cgroup);
  const places = pids.map((pid) => readText(`/proc/${pid}/wchan`) ?? '');
  // Nobody was forked meanwhile.
  const areAll = isDeepStrictEqual(pidsIn(cgroup), pids);
  if (!areAll || !places.every((each) => restingPlaces.includes(each))) return undefined;
  return pids.map((pid, at) => `${pid} ${places[at]}`).join(', ');
}

const pidsIn = (cgroup: string): readonly string[] =>
  readFileSync(`${cgroup}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);

export class FreezerStage implements AsyncDisposable {
  readonly uid = 64_341;
  readonly #root: string;
  readonly #version: 'v1' | 'v2';
  readonly #scratch = temporaryDirectory('hold');
  readonly #clients: ChildProcess[] = [];
  readonly paths = { runtime: `${this.#scratch.path}/run`, state: `${this.#scratch.path}/state` };
  readonly cgroups: readonly string[];

  constructor(version: 'v1' | 'v2', mountPoint: string) {
    this.#version = version;
    this.#root = `${mountPoint}/bulkhead-test-hold-${process.pid}`;
    this.cgroups = ['one', 'two', 'three'].map((name) => `${this.#root}/${name}`);
    mkdirSync(this.#root);
    for (const each of this.cgroups) mkdirSync(each);
  }

  fileOf(cgroup: string): string {
    return `${cgroup}/${this.#version === 'v1' ? 'freezer.state' : 'cgroup.freeze'}`;
  }

  /** Starts a process that forks all the time in each cgroup. */
  start(): void {
    for (const cgroup of this.cgroups) {
      const child = spawn('sh', ['-c', 'read x; while :; do sleep 0.02; done'], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      writeFileSync(`${cgroup}/cgroup.procs`, String(child.pid));
      child.stdin.write('\n');
      this.#clients.push(child);
    }
  }

  /** Whether the kernel has stopped all processes in the cgroup. */
  isFrozen(cgroup: string): boolean {
    return this.#version === 'v1'
      ? readFileSync(`${cgroup}/freezer.state`, 'utf8') === 'FROZEN\n'
      : /^frozen 1$/m.test(readFileSync(`${cgroup}/cgroup.events`, 'utf8'));
  }

  /**
   * Waits until all cgroups are frozen; `freeze` freezes them once more. A process of v1 that is about to wait for the
   * child of its vfork() misses the first time: `freezer.state` stays FREEZING until it is written again.
   */
  async untilFrozen(freeze: () => void): Promise<void> {
    await eventually('all are frozen', () => {
      const atRest = this.cgroups.map(tasksAtRest);
      freeze();
      return this.cgroups.every((cgroup, at) => {
        const isFrozen = this.isFrozen(cgroup);
        if (!isFrozen && atRest[at] !== undefined)
          throw new Error(`nothing goes on in ${cgroup}, which is not frozen: ${atRest[at]}`);
        return isFrozen;
      });
    });
  }

  /** Whether the cgroup is neither frozen nor to be. */
  isThawed(cgroup: string): boolean {
    return this.#version === 'v1'
      ? readFileSync(`${cgroup}/freezer.state`, 'utf8') === 'THAWED\n'
      : readFileSync(`${cgroup}/cgroup.freeze`, 'utf8') === '0\n' && !this.isFrozen(cgroup);
  }

  get areThawed(): boolean {
    return this.cgroups.every((each) => !existsSync(each) || this.isThawed(each));
  }

  /** Returns after how many milliseconds all were thawed by the watchdog, which ends or goes on. */
  async thawedAfter(watchdog: number): Promise<number> {
    const began = performance.now();
    for (;;) {
      const hasEnded = !existsSync(`/proc/${watchdog}`);
      if (this.areThawed) break;
      if (hasEnded) throw new Error('the watchdog has ended, and not all is thawed');
      if (performance.now() - began > patienceMilliseconds) throw new Error('it stays frozen');
      await sleep(1);
    }
    return performance.now() - began;
  }

  writeFrozen(cgroup: string, frozen: boolean): void {
    const [on, off] = this.#version === 'v1' ? ['FROZEN', 'THAWED'] : ['1', '0'];
    writeFileSync(this.fileOf(cgroup), frozen ? on : off);
  }

  /** Records that an administrator has stopped the tenant, as "bulkhead stop --freeze" does. */
  stopTenant(frozen: boolean): void {
    mkdirSync(stopDirectory(this.paths), { recursive: true });
    const stop = { uid: this.uid, user: 'alice', by: 'root', at: 1, frozen, units: [] };
    writeFileSync(stopFile(this.paths, this.uid), `${JSON.stringify(stop)}\n`);
  }

  startTenant(): void {
    rmSync(stopFile(this.paths, this.uid), { force: true });
  }

  agent(): Agent {
    const { runtime, state } = this.paths;
    const files = this.cgroups.map((each) => this.fileOf(each));
    return new Agent([agentScript, runtime, state, String(this.uid), ...files]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.cgroups) if (existsSync(each)) this.writeFrozen(each, false);
    for (const each of this.#clients) each.kill('SIGKILL');
    await eventually('the cgroups are empty', () =>
      this.cgroups.every((each) => !existsSync(each) || pidsIn(each).length === 0),
    );
    for (const each of [...this.cgroups, dirname(this.cgroups[0] ?? '')])
      if (existsSync(each)) rmdirSync(each);
    this.#scratch.remove();
  }
}

export class Agent {
  readonly #child: ChildProcess;
  /** Resolved when it has ended, and all that it has printed is read. */
  readonly #ended: Promise<unknown>;
  readonly #seen: string[] = [];
  #errors = '';

  constructor(args: readonly string[]) {
    // A thousand of them start one after another.
    const env = { ...process.env, NODE_COMPILE_CACHE: `${tmpdir()}/bulkhead-hold-cache` };
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => this.#seen.push(line));
    this.#ended = Promise.all([once(this.#child, 'exit'), once(lines, 'close')]);
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
  }

  count(word: string): number {
    return this.#seen.filter((each) => each.startsWith(word)).length;
  }

  /** Waits until it has printed such a line so many times. */
  async until(word: string, times = 1): Promise<void> {
    await eventually(
      `the agent prints "${word}"`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`the agent has ended: ${this.#errors}`);
        return this.count(word) >= times;
      },
      () => `${this.#seen.slice(-5).join('\n')}\n${this.#errors}`,
    );
  }

  /** The pid of its latest watchdog. */
  get watchdog(): number {
    return Number(this.#seen.findLast((each) => each.startsWith('watched'))?.split(' ')[1]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
  }
}
