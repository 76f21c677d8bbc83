/** The use of database servers by each tenant since the agent started. */
import type { DatabaseUse } from '../../../agent/part.ts';

interface Total {
  /** A later look corrects an earlier one, so it may fall. */
  cpu: number;
  /** The highest so far: a counter never falls. */
  shown: number;
  paused: number;
  connections: number | undefined;
}

/** The result of a look at a server. */
interface Looked {
  /** CPU time in this server since the look before, in microseconds by uid. */
  readonly used: ReadonlyMap<number, number>;
  /** Connections now to all servers, by uid; undefined if they are not known. */
  readonly connections: ReadonlyMap<number, number> | undefined;
  /** Whether every server counts CPU time. */
  readonly isCounted: boolean;
}

export class UseTotals {
  readonly #totals = new Map<number, Total>();
  #atSeconds: number | undefined;
  #isCounted = false;

  /** `atSeconds`: the time of the look, by a monotonic clock; undefined if another server does not answer. */
  add({ used, connections, isCounted }: Looked, atSeconds: number | undefined): void {
    this.#atSeconds = atSeconds;
    this.#isCounted = isCounted;
    for (const [uid, microseconds] of used) {
      const total = this.#totalOf(uid);
      total.cpu += microseconds;
      total.shown = Math.max(total.shown, total.cpu);
    }
    for (const uid of connections?.keys() ?? []) this.#totalOf(uid);
    for (const [uid, total] of this.#totals)
      total.connections = connections === undefined ? undefined : (connections.get(uid) ?? 0);
  }

  paused(uid: number, microseconds: number): void {
    this.#totalOf(uid).paused += microseconds;
  }

  /** Called when a server does not answer. */
  lose(): void {
    this.#atSeconds = undefined;
  }

  /** Returns undefined while it is unknown. */
  of(uid: number): DatabaseUse | undefined {
    if (this.#atSeconds === undefined) return undefined;
    const { shown, paused, connections } = this.#totals.get(uid) ?? none;
    const cpu = this.#isCounted && { cpuSeconds: shown / 1e6 };
    const counted = connections === undefined ? {} : { connections };
    return { atSeconds: this.#atSeconds, ...cpu, ...counted, pausedSeconds: paused / 1e6 };
  }

  #totalOf(uid: number): Total {
    const total = this.#totals.get(uid) ?? { ...none };
    this.#totals.set(uid, total);
    return total;
  }
}

const none: Total = { cpu: 0, shown: 0, paused: 0, connections: 0 };
