/**
 * The state of a host in its fleet, in memory and on disk. The file is written before anything is done by it. While it
 * cannot be written, the state in memory counts, and each change tries again.
 */
import type { Log } from '../../agent/log.ts';
import type { Paths } from '../../host/paths.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { marked, type HostState, type Now } from '../core/states.ts';
import type { HostStore } from './host-store.ts';
import { momentNow } from './moment.ts';

/** How often stopwatches are kept without another reason. */
const markMilliseconds = 600_000;

export class HostRecord {
  readonly #store: HostStore;
  readonly #paths: Paths;
  readonly #log: Pick<Log, 'info' | 'error'>;
  #state: HostState | undefined;
  #damage: Problem | undefined;
  #unwritten: Problem | undefined;
  #markedAt = performance.now();
  /** The version of the file that the state is of. */
  #version: string | undefined;
  #isOver = false;

  constructor(store: HostStore, paths: Paths, log: Pick<Log, 'info' | 'error'>) {
    this.#store = store;
    this.#paths = paths;
    this.#log = log;
  }

  /** Absent if the host is in no fleet, or the file is damaged. */
  get state(): HostState | undefined {
    this.#follow();
    return this.#state;
  }

  /** Why the file cannot be read. */
  get damage(): Problem | undefined {
    return this.#damage;
  }

  /** Why the file is behind. */
  get unwritten(): Problem | undefined {
    return this.#unwritten;
  }

  now(): Now {
    return momentNow(this.#paths);
  }

  /** Follows commands by which root has joined or left a fleet. Returns whether there is another record now. */
  #follow(): boolean {
    const version = this.#store.stateVersion();
    if (version === this.#version) return false;
    const state = this.read();
    this.#state = state && { ...state, isStopped: false };
    return true;
  }

  /** Reads the file, as the last agent or a command has left it. */
  read(): HostState | undefined {
    this.#version = this.#store.stateVersion();
    const read = this.#store.readState();
    const damage = read.ok ? undefined : read.error;
    if (damage !== undefined && this.#damage === undefined) this.#log.error(formatProblem(damage));
    this.#damage = damage;
    this.#state = read.ok ? read.value : undefined;
    return this.#state;
  }

  enter(next: HostState): void {
    // An apply that goes on says nothing any more: it may have been killed.
    if (this.#isOver || this.#follow()) return;
    const before = this.#state;
    this.#state = next;
    if (before?.current?.phase !== next.current?.phase) this.#tell(next);
    this.#markedAt = performance.now();
    const written = this.#store.writeState(marked(next, this.now()));
    this.#version = this.#store.stateVersion();
    const problem = written.ok ? undefined : written.error;
    if (problem !== undefined && this.#unwritten === undefined)
      this.#log.error(formatProblem(problem));
    this.#unwritten = problem;
  }

  /** Takes a state back that could not be written. */
  restore(state: HostState): void {
    this.#state = state;
  }

  /** Keeps the stopwatches now and then, and what could not be written before. */
  mark(): void {
    const isDue = performance.now() - this.#markedAt > markMilliseconds;
    if (this.#state !== undefined && (isDue || this.#unwritten !== undefined))
      this.enter(marked(this.#state, this.now()));
  }

  /** Notes that the agent ends as it was told to; nothing changes afterwards. */
  stop(): void {
    if (this.#state !== undefined) this.enter({ ...this.#state, isStopped: true });
    this.#isOver = true;
  }

  #tell({ current }: HostState): void {
    if (current === undefined) return;
    const { release, phase, reasons } = current;
    const why = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
    const line = `Generation ${release.generation} of the fleet is ${phase}${why}`;
    if (phase === 'going back' || phase === 'unclear') this.#log.error(line);
    else this.#log.info(line);
  }
}
