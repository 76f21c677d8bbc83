/** Follows the processes outside their cgroups during a watch. */
import type { FleetEngine } from '../../agent/fleet/fleet-agent.ts';
import type { PlacementStatus } from '../../agent/api/status-response.ts';
import { outsideMax } from '../../host/placer/protocol.ts';
import type { OutsideProcess } from '../core/gate.ts';

/** A process that has just started is outside for a moment: two scans must agree. */
const scansMin = 2;
/** The age at which the last scan says nothing any more. */
const staleMilliseconds = 600_000;

type Engine = Pick<FleetEngine, 'placement' | 'scan'>;

/** Returns the processes outside before a release; undefined if that could not be found out. */
export async function outsideBefore(engine: Engine): Promise<readonly string[] | undefined> {
  const { outside, unknown } = await engine.scan();
  return unknown.length > 0 || outside.length >= outsideMax ? undefined : outside.map(keyOf);
}

const keyOf = ({ pid, uid }: OutsideProcess): string => `${pid} ${uid}`;

export class OutsideWatch {
  readonly #engine: Engine;
  readonly #before: ReadonlySet<string> | undefined;
  #last: PlacementStatus;
  /** The processes that the last two scans have found. */
  #twice: readonly OutsideProcess[] = [];
  #scans = 0;
  #scannedAt = performance.now();
  #isScanning = false;

  /** `before`: what `outsideBefore` has returned. */
  constructor(engine: Engine, before: readonly string[] | undefined) {
    this.#engine = engine;
    this.#before = before && new Set(before);
    this.#last = engine.placement();
    this.#ask();
  }

  /** Whether enough scans have ended. */
  get isSettled(): boolean {
    return this.#scans >= scansMin;
  }

  see(): void {
    const last = this.#last;
    const now = this.#engine.placement();
    this.#last = now;
    // What scans has ended: the next one begins anew.
    if (now.scannedAt === undefined) this.#scans = 0;
    else if (now.scannedAt !== last.scannedAt) {
      const earlier = new Set(this.#scans === 0 ? [] : last.outside.map(keyOf));
      this.#twice = now.outside.filter((each) => earlier.has(keyOf(each)));
      this.#scannedAt = performance.now();
      this.#scans++;
    }
    if (!this.isSettled) this.#ask();
  }

  /** Scans are a minute apart otherwise. */
  #ask(): void {
    if (this.#isScanning) return;
    this.#isScanning = true;
    void this.#engine.scan().finally(() => (this.#isScanning = false));
  }

  /** Returns the processes outside that were not outside before, or why that is unknown. */
  found(): readonly OutsideProcess[] | string {
    const { unknown } = this.#last;
    if (unknown.length > 0) return unknown.slice(0, 3).join('; ');
    if (!this.isSettled || performance.now() - this.#scannedAt > staleMilliseconds)
      return 'no scan of all processes has ended for some time';
    if (this.#twice.length > 0 && this.#before === undefined)
      return 'some are outside, and nobody knows whether they were before';
    return this.#twice.filter((each) => this.#before?.has(keyOf(each)) !== true);
  }
}
