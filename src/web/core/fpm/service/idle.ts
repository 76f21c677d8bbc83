/**
 * Masters that have been idle for so long that they are stopped, judged by the kernel's counters for their processes. A
 * master's own status is not used: a tenant can make its master report anything.
 */

export interface MasterWork {
  readonly unit: string;
  /**
   * A text that stays the same while no worker does anything. Absent while a worker serves a request, or if that is not
   * known.
   */
  readonly work?: string;
}

/** A worker, as far as it matters here. */
export interface Worker {
  readonly pid: number;
  readonly startTime: number;
  /** The number of its waits: at least one for each request. */
  readonly waits: number;
  /** Whether it waits for a request now. */
  readonly isWaiting: boolean;
}

/**
 * Returns the text for `work`. `children` counts page faults of ended workers, so that no short-lived one is missed.
 */
export function workText(
  master: { readonly startTime: number; readonly children: number },
  workers: readonly Worker[],
): string | undefined {
  if (workers.some(({ isWaiting }) => !isWaiting)) return undefined;
  const each = workers.map(({ pid, startTime, waits }) => `${pid}:${startTime}:${waits}`);
  return [`${master.startTime}:${master.children}`, ...each.sort()].join(' ');
}

interface Quiet {
  readonly work: string;
  readonly sinceMs: number;
}

/** Remembers since when each master has been without a request. */
export class IdleWatch {
  readonly #idleMs: number;
  #quiet: ReadonlyMap<string, Quiet> = new Map();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** Returns the units to stop. `masters` are all that run now. */
  toStop(masters: readonly MasterWork[], nowMs: number): readonly string[] {
    const quiet = new Map<string, Quiet>();
    for (const { unit, work } of masters) {
      if (work === undefined) continue;
      const known = this.#quiet.get(unit);
      quiet.set(unit, known?.work === work ? known : { work, sinceMs: nowMs });
    }
    this.#quiet = quiet;
    return [...quiet].flatMap(([unit, { sinceMs }]) =>
      nowMs - sinceMs >= this.#idleMs ? [unit] : [],
    );
  }
}
