/** A watched server and its previous state: what each account has used since then. */
import { attribute, Calibration } from '../core/use/attribution.ts';
import type { Look } from '../core/look.ts';
import type { WatchedServer } from './worker/watched-server.ts';

export interface SeenUse {
  readonly look: Look;
  readonly elapsedMicroseconds: number;
  /** CPU time by account, in microseconds. */
  readonly used: ReadonlyMap<string, number>;
}

export class SeenServer implements Disposable {
  readonly watched: WatchedServer;
  readonly #calibration = new Calibration();
  #last: Look | undefined;

  constructor(watched: WatchedServer) {
    this.watched = watched;
  }

  /** Undefined while nothing is known: at the first look, and while the server does not answer. */
  async look(): Promise<SeenUse | undefined> {
    const look = await this.watched.look();
    const last = this.#last;
    this.#last = look;
    if (look === undefined || last === undefined) return undefined;
    this.#calibration.learn(last, look);
    return {
      look,
      elapsedMicroseconds: look.atMicroseconds - last.atMicroseconds,
      used: attribute(last, look, this.#calibration.constants),
    };
  }

  [Symbol.dispose](): void {
    this.watched[Symbol.dispose]();
  }
}
