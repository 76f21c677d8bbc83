/**
 * What an agent that starts is doing, and how far it is. Heavy work comes first: the policy is applied, and all processes
 * are scanned. The service manager and everyone who asks see it meanwhile; the manager's start timeout does not count.
 */
import type { StartingStatus } from './api/api.ts';

/** How often the service manager is told. */
const tellMilliseconds = 5_000;
/** An agent that does not say anything for this long hangs, rather than being slow. */
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

  /** Absent once it has started. */
  get status(): StartingStatus | undefined {
    if (this.#doing === undefined) return undefined;
    const share = this.#share?.();
    const percent = share === undefined ? undefined : Math.floor(100 * Math.min(1, share));
    return { doing: this.#doing, ...(percent === undefined ? {} : { percent }) };
  }

  /** `share` of it that is done: 0 to 1, if known. */
  enter(doing: StartingStatus['doing'], share: () => number | undefined): void {
    this.#doing = doing;
    this.#share = share;
    this.#tell();
  }

  /** The last notification comes with these lines. */
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

/** `applying the policy, 40 % done`. */
export const startingText = ({ doing, percent }: StartingStatus): string =>
  percent === undefined ? doing : `${doing}, ${percent} % done`;
