/** The use of database servers by each tenant since the agent started, for metrics. */
import type { DatabaseUse } from '../../../agent/part.ts';

interface Total {
  /** A later look corrects an earlier one, so it may fall. */
  cpu: number;
  /** The highest so far: a counter never falls. */
  shown: number;
  paused: number;
  connections: number | undefined;
}

export class UseTotals {
  readonly #totals = new Map<number, Total>();

  /** Adds the use since the previous call, in microseconds by uid. `connections` are undefined if they are not known. */
  add(
    used: ReadonlyMap<number, number>,
    connections: ReadonlyMap<number, number> | undefined,
  ): void {
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

  of(uid: number): DatabaseUse {
    const { shown, paused, connections } = this.#totals.get(uid) ?? none;
    const known = connections === undefined ? {} : { connections };
    return { cpuSeconds: shown / 1e6, ...known, pausedSeconds: paused / 1e6 };
  }

  #totalOf(uid: number): Total {
    const total = this.#totals.get(uid) ?? { ...none };
    this.#totals.set(uid, total);
    return total;
  }
}

const none: Total = { cpu: 0, shown: 0, paused: 0, connections: 0 };
