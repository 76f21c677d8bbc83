/**
 * The progress of an agent that is starting. Heavy work comes first: applying the policy, and scanning all processes.
 * The service manager and every caller see it meanwhile; the manager's start timeout does not count.
 */
import type { StartingStatus } from './api/status-response.ts';

/** The pause between two reports to the service manager. */
const tellMilliseconds = 5_000;
/** The time without a report after which an agent hangs, rather than being slow. */
const silentMilliseconds = 900_000;

type Notify = (...lines: readonly string[]) => void;

export class Startup implements Disposable {
  readonly #notify: Notify;
  readonly #timer: NodeJS.Timeout;
  #doing: StartingStatus['doing'] | undefined = 'applying the policy';
  #share: (() => number | undefined) | undefined;

  constructor(notify: Notify) {
    this.#notify = notify;
    this.#timer = setInterval(() => this.#tell(), tellMilliseconds);
    this.#tell();
  }

  /** Returns the progress; undefined once it has started. */
  get status(): StartingStatus | undefined {
    if (this.#doing === undefined) return undefined;
    const share = this.#share?.();
    const percent = share === undefined ? undefined : Math.floor(100 * Math.min(1, share));
    return { doing: this.#doing, ...(percent === undefined ? {} : { percent }) };
  }

  /** Enters a step; `share` returns how much of it is done: 0 to 1, if known. */
  enter(doing: StartingStatus['doing'], share: () => number | undefined): void {
    this.#doing = doing;
    this.#share = share;
    this.#tell();
  }

  /** Ends the start; the last notification has these lines. */
  end(...lines: readonly string[]): void {
    this[Symbol.dispose]();
    this.#doing = undefined;
    this.#notify(...lines);
  }

  #tell(): void {
    const { status } = this;
    if (status === undefined) return;
    const text = startingText(status);
    this.#notify(`EXTEND_TIMEOUT_USEC=${silentMilliseconds * 1_000}`, `STATUS=Starting: ${text}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Formats the progress: `applying the policy, 40 % done`. */
export const startingText = ({ doing, percent }: StartingStatus): string =>
  percent === undefined ? doing : `${doing}, ${percent} % done`;
