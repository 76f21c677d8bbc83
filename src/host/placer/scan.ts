/**
 * A scan of all processes, in batches, so that events need not wait for it.
 *
 * One whose parent exited before its turn is not in the list. So processes forked since the start of the list are
 * inspected, too, up to the last one. A process that was just being forked has an earlier pid, and stays invisible for
 * as long as its fork takes. A second list has it, or it is where its parent was moved. Only then is it certain that
 * none was missed.
 */
import type { PlacementResult } from './placer.ts';
import { listProcesses } from './process-reader.ts';
import { outsideMax, unknownMax, type PlacerOutside } from './protocol.ts';
import { Sweep, type Look, type PidClock } from './sweep.ts';

/** Places a process. `look`: the pass over processes forked since the scan began. */
type Place = (pid: number, look?: Look) => PlacementResult;

/** The number of processes inspected between two checks of the clock. */
const atOnce = 16;
/** A busy host forks this many while the list is processed. */
const newcomersMax = 65_536;

export const outrunReason = 'Processes start and exit too fast to determine their owners';

export interface ScanResult {
  readonly outside: readonly PlacerOutside[];
  readonly unknown: readonly string[];
  /** Whether processes started and exited too fast to be inspected: there may be others outside. */
  readonly outrun: boolean;
}

export class Scan {
  readonly #place: Place;
  readonly #list: () => readonly number[];
  readonly #outside = new Map<number, PlacerOutside>();
  readonly #unknown = new Map<number, string>();
  readonly #sweep: Sweep;
  readonly #from: number;
  #pids: readonly number[];
  #index = 0;
  /** Whether the list is the second one. */
  #again = false;

  constructor(clock: PidClock, place: Place, list: () => readonly number[] = listProcesses) {
    this.#place = place;
    this.#list = list;
    this.#sweep = new Sweep(clock, (pid, look) => this.#visit(pid, look), newcomersMax);
    this.#from = clock.last();
    this.#pids = list();
  }

  /** Whether only processes forked since it began are left. */
  get isFollowing(): boolean {
    return this.#sweep.pending;
  }

  /** The share of the processes that has been inspected: 0 to 1. */
  get progress(): number {
    return this.#again || this.#pids.length === 0 ? 1 : this.#index / this.#pids.length;
  }

  /** Continues for a few milliseconds; returns the result once it is complete. */
  step(milliseconds: number): ScanResult | undefined {
    const until = performance.now() + milliseconds;
    while (this.#index < this.#pids.length) {
      const end = Math.min(this.#pids.length, this.#index + atOnce);
      while (this.#index < end) this.#visit(this.#pids[this.#index++] ?? 0);
      if (this.#index === this.#pids.length) this.#listed();
      if (performance.now() > until) return undefined;
    }
    const swept = this.#sweep.step(until - performance.now());
    return swept === 'more' ? undefined : this.#found(swept === 'lapped');
  }

  #listed(): void {
    if (this.#again) return this.#sweep.from(this.#from);
    this.#again = true;
    const before = new Set(this.#pids);
    this.#pids = this.#list().filter((pid) => !before.has(pid));
    this.#index = 0;
    if (this.#pids.length === 0) this.#sweep.from(this.#from);
  }

  #visit(pid: number, look?: Look): void {
    const outcome = this.#place(pid, look);
    this.#outside.delete(pid);
    this.#unknown.delete(pid);
    if (typeof outcome === 'string') return;
    if ('unknown' in outcome) {
      if (this.#unknown.size < unknownMax) this.#unknown.set(pid, outcome.unknown);
    } else if (this.#outside.size < outsideMax) this.#outside.set(pid, { pid, ...outcome });
  }

  #found(outrun: boolean): ScanResult {
    return { outside: [...this.#outside.values()], unknown: [...this.#unknown.values()], outrun };
  }
}
