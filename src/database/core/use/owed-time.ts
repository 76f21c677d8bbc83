/** Collects what a tenant used while it was above its share, until the agent takes it as evidence. */
import { watchedRung, type DatabaseCpuEvidence } from '../cpu-incidents.ts';
import type { Session } from '../look.ts';
import { withoutLiterals } from '../statement-text.ts';

interface Statement {
  seen: number;
  microseconds: number;
}

/** More different statements are not told apart. */
const statementsMax = 50;

export class OwedTime {
  #elapsed = 0;
  #used = 0;
  #paused = 0;
  #rung = '';
  readonly #statements = new Map<string, Statement>();

  /** Adds a look: times in microseconds since the last one, and the tenant's sessions. */
  add(
    use: { readonly used: number; readonly elapsed: number; readonly paused: number },
    rung: string,
    sessions: readonly Session[],
  ): void {
    this.#elapsed += use.elapsed;
    this.#used += use.used;
    this.#paused += use.paused;
    this.#rung = rung;
    for (const { isRunning, statement, runningCpuMicroseconds = 0 } of sessions) {
      if (!isRunning || statement === '') continue;
      const text = withoutLiterals(statement);
      const known = this.#statements.get(text) ?? { seen: 0, microseconds: 0 };
      if (known.seen === 0 && this.#statements.size >= statementsMax) continue;
      known.seen += 1;
      known.microseconds += runningCpuMicroseconds;
      this.#statements.set(text, known);
    }
  }

  /** `isWatched`: whether the limit is only watched, so that nothing of it was done. */
  evidence(limit: number, at: number, isWatched = false): DatabaseCpuEvidence {
    const [most] = [...this.#statements].toSorted(
      ([, a], [, b]) => b.microseconds - a.microseconds,
    );
    return {
      at,
      seconds: this.#elapsed / 1e6,
      usedSeconds: this.#used / 1e6,
      limit,
      pausedSeconds: this.#paused / 1e6,
      rung: isWatched ? watchedRung(this.#rung) : this.#rung,
      statement: most?.[0].slice(0, 200) ?? '',
      seen: most?.[1].seen ?? 0,
      statementSeconds: (most?.[1].microseconds ?? 0) / 1e6,
    };
  }
}
