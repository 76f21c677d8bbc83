/**
 * Keeps something outside the agent as the policy and the host demand. It checks once a minute whether anything
 * deviates, and makes an attempt to correct that. If the deviation is still there, it tries again after ten minutes;
 * another deviation is corrected at once.
 */
import { Rounds, type RoundsOptions } from './rounds.ts';

const checkMs = 60_000;
const againMs = 600_000;

export interface Reconciled {
  /** Returns a text that identifies the deviation; undefined if there is none. */
  readonly deviation: () => string | undefined;
  /** Corrects the deviation. */
  readonly attempt: () => Promise<void>;
}

export class Reconciler {
  readonly #parts: Reconciled;
  readonly #clock: () => number;
  readonly #rounds: Rounds;
  #tried: { readonly deviation: string; readonly at: number } | undefined;

  constructor(parts: Reconciled, { clock = () => performance.now(), ...options }: RoundsOptions) {
    this.#parts = parts;
    this.#clock = clock;
    this.#rounds = new Rounds(checkMs, () => this.#round(), { ...options, clock });
  }

  /** Makes the next tick check. */
  soon(): void {
    this.#rounds.soon();
  }

  tick(): void {
    this.#rounds.tick();
  }

  async #round(): Promise<void> {
    const deviation = this.#parts.deviation();
    if (deviation === undefined) {
      this.#tried = undefined;
      return;
    }
    const now = this.#clock();
    const tried = this.#tried;
    if (tried?.deviation === deviation && now - tried.at < againMs) return;
    this.#tried = { deviation, at: now };
    await this.#parts.attempt();
  }
}
