/**
 * Sends events to the centre, from its mark on. An acknowledgement of a server only says that the server has them: until
 * the mark says that the centre has them, they are sent again after a while.
 */
import type { FleetOutboxEvents } from '../../../agent/api/fleet-api.ts';
import { aheadMax, type Mark } from '../../core/told/mark.ts';

export class EventSender {
  readonly #resendMilliseconds: number;
  #epoch: string | undefined;
  #stored = 0;
  #sent = 0;
  #sentAt = 0;

  constructor(resendMilliseconds: number) {
    this.#resendMilliseconds = resendMilliseconds;
  }

  /** The last event that needs not be sent now. */
  get after(): { readonly epoch: string | undefined; readonly number: number } {
    return { epoch: this.#epoch, number: this.#sent };
  }

  /** Whether the centre may not have all that was sent. */
  get isWaiting(): boolean {
    return this.#sent > this.#stored;
  }

  /** Follows the mark of the centre, which has lost all events if there is none. */
  follow(mark: Mark | undefined): void {
    const { epoch, stored } = mark ?? { epoch: this.#epoch, stored: 0 };
    const isOther = epoch !== this.#epoch;
    this.#epoch = epoch;
    // It goes back if the centre has lost some.
    if (isOther || stored !== this.#stored) this.#sentAt = performance.now();
    this.#stored = stored;
    this.#sent = isOther ? stored : Math.max(stored, this.#sent);
    if (this.isWaiting && performance.now() - this.#sentAt > this.#resendMilliseconds)
      this.#sent = stored;
  }

  /** Whether these are to be sent now. */
  mayForward({ epoch, last }: FleetOutboxEvents): boolean {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#stored = 0;
      this.#sent = 0;
    }
    return last - this.#stored <= aheadMax || this.#sent === this.#stored;
  }

  sentUpTo(last: number): void {
    this.#sent = last;
    this.#sentAt = performance.now();
  }
}
