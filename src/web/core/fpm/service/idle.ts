/**
 * Which masters have had nothing to do for so long that they are stopped, by what they tell systemd every 10 s:
 *
 *     Processes active: 0, idle: 2, Requests: 3, slow: 0, Traffic: 0.00req/sec
 *
 * Only of what is told here: a tenant can make its own master say anything, and gets it stopped, or pays for it.
 * Source: fpm_systemd.c, fpm_systemd().
 */

export interface Activity {
  readonly active: number;
  readonly requests: number;
}

/** Nothing of a text that says something else, such as "Ready to handle connections". */
export function parseActivity(text: string): Activity | undefined {
  const match = /^Processes active: (\d{1,9}), idle: \d+, Requests: (\d{1,15}),/.exec(text);
  if (match === null) return undefined;
  return { active: Number(match[1]), requests: Number(match[2]) };
}

export interface MasterStatus {
  readonly unit: string;
  readonly text: string;
}

interface Quiet {
  readonly requests: number;
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
  toStop(masters: readonly MasterStatus[], nowMs: number): readonly string[] {
    const quiet = new Map<string, Quiet>();
    for (const { unit, text } of masters) {
      const activity = parseActivity(text);
      if (activity === undefined || activity.active > 0) continue;
      const known = this.#quiet.get(unit);
      const { requests } = activity;
      quiet.set(unit, known?.requests === requests ? known : { requests, sinceMs: nowMs });
    }
    this.#quiet = quiet;
    return [...quiet].flatMap(([unit, { sinceMs }]) =>
      nowMs - sinceMs >= this.#idleMs ? [unit] : [],
    );
  }
}
