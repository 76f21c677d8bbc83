/**
 * Ensures that the processes of tenants are in their cgroups, however they were started.
 *
 * `ConnectorPlacement` has a small process do it (`host/placer/main.ts`), to which the kernel reports
 * each change of uid; here it is started, given the list of tenants, listened to, and restarted if it
 * dies or hangs. Its failures become a status or a log line, never an error.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { scriptFile } from '../../sys/package-files.ts';
import { spawnScript } from '../../sys/processes/child-script.ts';
import { Lines } from '../../sys/lines.ts';
import {
  eventBytesMax,
  type PlacerEvent,
  type PlacerHalted,
  type PlacerStatus,
  type TargetsCommand,
} from '../../host/placer/protocol.ts';
import { sliceTenant } from '../../plan/slice.ts';
import { homeCgroup, tenantCgroup } from '../../plan/wanted.ts';
import type { Tree } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { placerTree } from './placer-hierarchies.ts';
import { readSubordinateUids } from '../../host/accounts/subordinate-uids.ts';
import type { Policy } from '../../policy/policy.ts';
import type { PlacementStatus } from '../api/status-response.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem } from '../../../packages/base/problem.ts';

/** The targets, and the tree they are in. Get `tree` from `placerTree`. */
export type PlacementTargets = Omit<TargetsCommand, 'kind'>;

export interface PlacementOptions {
  /** Logs one line for each restart of the placer with the reason, and for each line that it printed. */
  readonly log: (line: string) => void;
  /** Called when another program removed a cgroup; apply the policy and call `setTargets` again. */
  readonly onMissingCgroup?: (cgroups: readonly string[]) => void;
  /**
   * Called with tenants that were stopped for a moment, because they started processes faster than these can be placed.
   */
  readonly onHalted?: (tenants: readonly number[]) => void;
  /** The record of stopped tenants, for the next placer if this one dies; in the runtime directory. */
  readonly haltFile: string;
  /** The size of the receive buffer in tests: a smaller one makes the kernel drop events. */
  readonly receiveBytes?: number;
  readonly pingMilliseconds?: number;
}

const defaultPingMilliseconds = 10_000;
const missedPingsMax = 3;
const patienceMax = 32;
const backoffMilliseconds = { first: 100, max: 10_000 };
/** The run time after which its next exit counts as the first again. */
const steadyMilliseconds = 60_000;
const endMilliseconds = 2_000;
/** The time that a busy host may need to start it. */
const startMilliseconds = 30_000;
const rescanMilliseconds = 30_000;
const logBytesMax = 4_096;
const namedMax = 10;

const script = scriptFile('host/placer/main');

export function placementTargets(policy: Policy, paths: Paths, tree: Tree): PlacementTargets {
  const targets = policy.tenants.map((each): PlacementTargets['targets'][number] => {
    const cgroup = tenantCgroup(each);
    // A tenant's slice may contain, next to the sites, whatever systemd makes in it.
    const isSlice = tree.slices !== undefined && sliceTenant(cgroup) !== undefined;
    return each.sites.length === 0 || isSlice
      ? [each.uid, cgroup]
      : [each.uid, cgroup, homeCgroup(each)];
  });
  const tenants = new Set(targets.map(([uid]) => uid));
  return {
    tree: placerTree(paths, tree),
    targets,
    subordinate: readSubordinateUids(paths, tenants),
    containers: policy.agent.containers,
  };
}

interface Waiter {
  readonly id: number;
  readonly done: () => void;
}

export class ConnectorPlacement implements AsyncDisposable {
  readonly #options: PlacementOptions;
  #child: ChildProcessWithoutNullStreams | undefined;
  #bornAt = 0;
  #targets: PlacementTargets | undefined;
  /** Whether targets wait, because the pipe was full. */
  #targetsWait = false;
  #last: PlacerStatus | undefined;
  /** Counters of earlier placers. */
  #before = { events: 0, migrated: 0, overruns: 0 };
  #restarts = 0;
  #backoff = backoffMilliseconds.first;
  #restart: NodeJS.Timeout | undefined;
  #pings: NodeJS.Timeout | undefined;
  #id = 0;
  /** Pings sent since the last one that was answered. */
  #missed = 0;
  /** How many times longer than usual a placer may take to start and to answer. */
  #patience = 1;
  #waiters: Waiter[] = [];
  readonly #begun = Promise.withResolvers<void>();
  #ended = false;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** Returns the placer's process id, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#child !== undefined || this.#ended) return;
    const period = this.#options.pingMilliseconds ?? defaultPingMilliseconds;
    this.#pings ??= setInterval(() => this.#ping(), period).unref();
    this.#spawn();
  }

  /** Replaces the targets; all processes are scanned again. */
  setTargets(targets: PlacementTargets): void {
    this.#targets = targets;
    this.#sendTargets();
  }

  /** Returns the current state; counters may be a fraction of a second old. */
  status(): PlacementStatus {
    const last = this.#last;
    const restarts = this.#restarts;
    if (last === undefined) {
      const unknown = ['The processes have not been scanned yet'];
      return { state: 'starting', ...this.#before, restarts, outside: [], unknown };
    }
    const { state, problem, filtered, outside, unknown, scannedAt } = last;
    return {
      state,
      ...(problem === undefined ? {} : { problem: formatProblem(problem) }),
      ...(filtered === undefined ? {} : { filtered }),
      events: this.#before.events + last.events,
      migrated: this.#before.migrated + last.migrated,
      overruns: this.#before.overruns + last.overruns,
      restarts,
      outside,
      unknown: scannedAt === undefined ? ['The processes have not been scanned yet'] : unknown,
      ...(scannedAt === undefined ? {} : { scannedAt }),
    };
  }

  /** Returns the share of the processes that the first scan has inspected: 0 to 1; undefined while that is unknown. */
  get progress(): number | undefined {
    return this.#last?.progress;
  }

  /** Waits until all processes were scanned once, however long that takes, or the first placer has exited. */
  async begun(): Promise<void> {
    const { promise, resolve } = this.#begun;
    await this.#scanned(resolve, promise);
  }

  /** Scans all processes and returns the result. */
  async rescan(): Promise<PlacementStatus> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), rescanMilliseconds);
    const done = await this.#scanned(() => resolve(true), promise);
    clearTimeout(timer);
    const status = this.status();
    if (done) return status;
    const seconds = rescanMilliseconds / 1000;
    const late = `The scan of all processes did not finish within ${seconds} s`;
    return { ...status, unknown: [...status.unknown, late] };
  }

  /** Asks for a scan, and waits for the promise, which `done` may resolve when it is complete. */
  async #scanned<T>(done: () => void, promise: Promise<T>): Promise<T> {
    const waiter = { id: ++this.#id, done };
    if (this.#ended) done();
    else this.#waiters.push(waiter);
    this.#sendScan();
    const result = await promise;
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
    return result;
  }

  #spawn(): void {
    const { receiveBytes } = this.#options;
    const { haltFile } = this.#options;
    const more = receiveBytes === undefined ? [] : [String(receiveBytes)];
    const started = spawnScript(script, [haltFile, ...more]);
    if (!started.ok) return this.#died(started.error.reason);
    const child = started.value;
    this.#child = child;
    this.#bornAt = performance.now();
    this.#missed = 0;
    this.#listen(child);
    this.#sendTargets();
    this.#sendScan();
  }

  /** Continues when the pipe has space again. */
  #drained(): void {
    if (this.#targetsWait) this.#sendTargets();
    this.#sendScan();
  }

  /** Sends one scan for all who wait for one. */
  #sendScan(): void {
    const waiter = this.#waiters.at(-1);
    if (waiter !== undefined) this.#send({ kind: 'scan', id: waiter.id });
  }

  #listen(child: ChildProcessWithoutNullStreams): void {
    const events = new Lines(eventBytesMax, (line) => this.#event(line));
    const words = new Lines(logBytesMax, (line) => this.#log(`placer: ${printable(line)}`));
    child.stdout.on('data', (chunk: Buffer) => {
      if (!heard(events, chunk)) child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => words.add(chunk));
    child.stdin.on('drain', () => this.#drained());
    // It died: `close` follows and handles that.
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      stream.on('error', () => undefined);
    }
    let problem: string | undefined;
    child.on('error', (error) => (problem = error.message));
    child.on('close', (code, signal) => this.#died(problem ?? signal ?? `status ${code}`));
  }

  #event(line: string): void {
    const event = JSON.parse(line) as PlacerEvent;
    if (event.kind === 'missing') return this.#options.onMissingCgroup?.(event.cgroups);
    if (event.kind === 'halted') return this.#halted(event);
    if (this.#last?.state !== 'off' && event.problem !== undefined) {
      this.#log(formatProblem(event.problem));
    }
    this.#last = event;
    this.#missed = 0;
    for (const { id, done } of this.#waiters) if (event.scanned >= id) done();
  }

  #halted({ tenants, moved, milliseconds, settled }: PlacerHalted): void {
    const who = tenants.slice(0, namedMax).join(', ');
    const time = `${Math.ceil(milliseconds)} ms`;
    this.#log(
      `Processes of uid ${who} were started faster than they can be moved: all of them were stopped for ${time}, and ${moved} moved${settled ? '' : '; some may still be outside'}`,
    );
    this.#options.onHalted?.(tenants);
  }

  #died(why: string): void {
    this.#child = undefined;
    const last = this.#last;
    for (const key of ['events', 'migrated', 'overruns'] as const) {
      this.#before[key] += last?.[key] ?? 0;
    }
    this.#last = undefined;
    this.#begun.resolve();
    if (this.#ended) return;
    this.#restarts++;
    const steady = performance.now() - this.#bornAt > steadyMilliseconds;
    if (steady) this.#backoff = backoffMilliseconds.first;
    this.#log(`The placer exited (${why}); restarting it in ${this.#backoff} ms`);
    this.#restart = setTimeout(() => this.#spawn(), this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, backoffMilliseconds.max);
  }

  #ping(): void {
    const child = this.#child;
    if (child === undefined) return;
    const starting = this.#last === undefined;
    const age = performance.now() - this.#bornAt;
    if (starting && age < startMilliseconds * this.#patience) return;
    if (this.#missed >= missedPingsMax * this.#patience) {
      this.#log(`The placer did not answer ${this.#missed} pings; killing it`);
      this.#missed = 0;
      // The host may be slow: then the next placer would be killed, too, and never place anybody.
      this.#patience = Math.min(this.#patience * 2, patienceMax);
      child.kill('SIGKILL');
      return;
    }
    if (this.#missed === 0 && age > steadyMilliseconds * this.#patience) this.#patience = 1;
    this.#missed++;
    this.#send({ kind: 'ping', id: ++this.#id });
  }

  #sendTargets(): void {
    if (this.#targets === undefined) return;
    this.#targetsWait = !this.#send({ kind: 'targets', ...this.#targets });
  }

  /** Returns false if the pipe is full. Commands to a placer that died are lost. */
  #send(command: object): boolean {
    const stdin = this.#child?.stdin;
    if (stdin === undefined || !stdin.writable) return true;
    if (stdin.writableNeedDrain) return false;
    stdin.write(`${JSON.stringify(command)}\n`);
    return true;
  }

  #log(line: string): void {
    this.#options.log(line);
  }

  /** Stops the placer; processes stay where they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#pings);
    clearTimeout(this.#restart);
    for (const { done } of this.#waiters) done();
    const child = this.#child;
    if (child === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('close', () => resolve());
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), endMilliseconds);
    await promise;
    clearTimeout(timer);
  }
}

/** Returns false if a line is invalid: a defect of the placer, which must not make the agent fail. */
function heard(events: Lines, chunk: Buffer): boolean {
  try {
    return events.add(chunk);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
