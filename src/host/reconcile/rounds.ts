/**
 * Runs a round of a part's work every so often, and never two at once. The agent's tick calls it. A round that throws is
 * a defect of that part: it is logged once, and neither ends the agent nor keeps later rounds from running.
 */
import { failed } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import { ok } from '../../../packages/base/result.ts';
import { reportOnce, type Report } from './report-once.ts';

export interface RoundsOptions {
  /** The subject of the rounds, for people: `idle PHP-FPM services`. */
  readonly about: string;
  /** Logs a round that threw. */
  readonly log: (text: string) => void;
  /** Monotonic, in milliseconds. */
  readonly clock?: () => number;
}

export class Rounds {
  readonly #everyMs: number;
  readonly #round: () => void | Promise<void>;
  readonly #about: string;
  readonly #report: Report;
  readonly #clock: () => number;
  #next = -Infinity;
  #isBusy = false;

  constructor(
    everyMs: number,
    round: () => void | Promise<void>,
    { about, log, clock = () => performance.now() }: RoundsOptions,
  ) {
    this.#everyMs = everyMs;
    this.#round = round;
    this.#about = about;
    this.#report = reportOnce(log);
    this.#clock = clock;
  }

  /** Makes the next tick run a round. */
  soon(): void {
    this.#next = -Infinity;
  }

  tick(): void {
    const now = this.#clock();
    if (this.#isBusy || now < this.#next) return;
    this.#next = now + this.#everyMs;
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    try {
      await this.#round();
      this.#report(ok(undefined));
    } catch (error) {
      const hint = 'the next round tries again; this is a defect of Bulkhead, please report it';
      this.#report(failed({ action: `check ${this.#about}`, reason: defectText(error), hint }));
    } finally {
      this.#isBusy = false;
    }
  }
}

/** Returns the message of an error, and where it was thrown. */
function defectText(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  const [, where] = /^ +at .*?([^ (]+:\d+:\d+)\)?$/m.exec(error.stack ?? '') ?? [];
  return printable(where === undefined ? error.message : `${error.message} (${where})`);
}
