/**
 * A scan of all processes, in pieces, so that events need not wait for it.
 *
 * A process that was being forked while the list was created is not in it, nor is one whose parent exited
 * before its turn. So processes forked since the start of the list are inspected, too, up to the last
 * one: only then is it certain that none was missed.
 */
import type { PidHistory } from './pid-history.ts';
import type { PlacementResult } from './placer.ts';
import { listProcesses } from './process-reader.ts';
import { outsideMax, unknownMax, type PlacerOutside } from './protocol.ts';
import { Sweep } from './sweep.ts';

/** The number of processes inspected between two checks of the clock. */
const atOnce = 16;
/** A busy host forks this many while the list is processed. */
const newcomersMax = 65_536;

export const outrunReason = 'Processes start and exit too fast to determine their owners';

export interface ScanResult {
  readonly outside: readonly PlacerOutside[];
  readonly unknown: readonly string[];
  /** Processes started and exited too fast to be inspected: there may be others outside. */
  readonly outrun: boolean;
}

export class Scan {
  readonly #place: (pid: number) => PlacementResult;
  readonly #outside = new Map<number, PlacerOutside>();
  readonly #unknown = new Map<number, string>();
  readonly #sweep: Sweep;
  readonly #from: number;
  readonly #pids: readonly number[];
  #index = 0;

  constructor(clock: PidHistory, place: (pid: number) => PlacementResult) {
    this.#place = place;
    this.#sweep = new Sweep(clock, (pid) => this.#visit(pid), newcomersMax);
    this.#from = clock.last();
    this.#pids = listProcesses();
  }

  /** Continues for a few milliseconds; returns the result once it is complete. */
  step(milliseconds: number): ScanResult | undefined {
    const until = performance.now() + milliseconds;
    while (this.#index < this.#pids.length) {
      const end = Math.min(this.#pids.length, this.#index + atOnce);
      while (this.#index < end) this.#visit(this.#pids[this.#index++] ?? 0);
      if (this.#index === this.#pids.length) this.#sweep.from(this.#from);
      if (performance.now() > until) return undefined;
    }
    const swept = this.#sweep.step(until - performance.now());
    return swept === 'more' ? undefined : this.#found(swept === 'lapped');
  }

  #visit(pid: number): void {
    const outcome = this.#place(pid);
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
