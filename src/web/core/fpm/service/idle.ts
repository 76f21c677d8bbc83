/**
 * Which masters have had nothing to do for so long that they are stopped, by what the kernel counts of their processes. What
 * a master says of itself is not asked: a tenant can make its own say anything.
 */

export interface MasterWork {
  readonly unit: string;
  /** The same as long as no worker has done anything; absent while one serves a request, or where that is not known. */
  readonly work?: string;
}

/** A worker, as far as it matters here. */
export interface Worker {
  readonly pid: number;
  readonly startTime: number;
  /** How often it has waited for something: at least once for each request. */
  readonly waits: number;
  /** Whether it waits for a request now. */
  readonly isWaiting: boolean;
}

/** `children` are the page faults of workers that have ended, so that one that came and went is not missed. */
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

/** Remembers since when each has been without a request. */
export class IdleWatch {
  readonly #idleMs: number;
  #quiet: ReadonlyMap<string, Quiet> = new Map();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** Of all that run now: those to stop. */
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
