/**
 * Prunes moved histories once a day: one tenant after another, in the thread that answers queries of the history, so that
 * no tick and no query waits for it.
 */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { HistorySettings } from '../../policy/settings.ts';
import type { HistoryView } from '../../store/history/history.ts';
import { movedMembers } from '../../store/moved/moved-file.ts';
import { SteadyClock } from '../../store/steady-clock.ts';
import type { Moment } from '../../usage/incident-log.ts';
import type { Log } from '../log.ts';

const pauseMilliseconds = 86_400_000;
/** Many files may have one cause. */
const problemsMax = 3;

interface MovedPrunerOptions {
  /** The directory of the history. */
  readonly directory: string;
  readonly history: () => Pick<HistoryView, 'pruneMoved'>;
  readonly log: Pick<Log, 'warn'>;
}

export class MovedPruner implements Disposable {
  readonly #options: MovedPrunerOptions;
  readonly #clock = new SteadyClock();
  #nextAt = 0;
  #isClosed = false;

  constructor(options: MovedPrunerOptions) {
    this.#options = options;
  }

  /** Takes the time of each tick. A file that cannot be pruned waits for the next day. */
  look({ at, monotonic }: Moment, settings: HistorySettings): void {
    if (!this.#clock.isSteady(at) || monotonic < this.#nextAt) return;
    this.#nextAt = monotonic + pauseMilliseconds;
    void this.#pruneAll(at, settings);
  }

  async #pruneAll(
    now: number,
    { summaryMilliseconds, incidentsMilliseconds }: HistorySettings,
  ): Promise<void> {
    const { directory, history, log } = this.#options;
    const members = movedMembers(directory);
    if (!members.ok) return log.warn(formatProblem(members.error));
    const problems = new Set<string>();
    for (const member of members.value) {
      const query = { member, now, summaryMilliseconds, incidentsMilliseconds };
      const pruned = await history().pruneMoved(query);
      if (this.#isClosed) return;
      if (!pruned.ok) problems.add(formatProblem(pruned.error));
    }
    for (const each of [...problems].slice(0, problemsMax)) log.warn(each);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
  }
}
