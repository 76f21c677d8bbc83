/** A watched server and its previous state: what each account has used since then. */
import { attribute, Calibration } from '../core/use/attribution.ts';
import type { Look } from '../core/look.ts';
import type { WatchedServer } from './worker/watched-server.ts';

export interface SeenUse {
  readonly look: Look;
  /** Whether all accounts were looked at. */
  readonly isAll: boolean;
  /** The time since the previous look. */
  readonly elapsedMicroseconds: number;
  /** The time since all accounts were asked about. */
  readonly allMicroseconds: number;
  /** CPU time by account, in microseconds: since the account was asked about. */
  readonly used: ReadonlyMap<string, number>;
}

export class SeenServer implements Disposable {
  readonly watched: WatchedServer;
  readonly #calibration = new Calibration();
  #last: Look | undefined;
  /** The last one at all accounts, and those that were looked at since. */
  #all: Look | undefined;
  #since: ReadonlySet<string> = new Set();

  constructor(watched: WatchedServer) {
    this.watched = watched;
  }

  /**
   * Undefined while nothing is known: at the first look, and while the server does not answer. `wanted`: looks at these
   * accounts, and at all if they are others than at the look before.
   */
  async look(wanted?: readonly string[]): Promise<SeenUse | undefined> {
    const only = this.#isOther(wanted) ? undefined : wanted;
    const look = await this.watched.look(only);
    const [last, all] = [this.#last, this.#all];
    const asked = only === undefined ? this.#since : new Set(only);
    this.#last = look;
    if (only === undefined || look === undefined) this.#all = look;
    this.#since = only === undefined ? new Set() : asked;
    if (look === undefined || last === undefined || all === undefined) return undefined;
    if (only === undefined) this.#calibration.learn(all, look);
    const use = (before: Look, isWanted: (account: string) => boolean) =>
      attribute(part(before, isWanted), part(look, isWanted), this.#calibration.constants);
    const some = asked.size === 0 ? [] : use(last, (account) => asked.has(account));
    const rest = only === undefined ? use(all, (account) => !asked.has(account)) : [];
    return {
      look,
      isAll: only === undefined,
      elapsedMicroseconds: look.atMicroseconds - last.atMicroseconds,
      allMicroseconds: look.atMicroseconds - all.atMicroseconds,
      used: new Map([...some, ...rest]),
    };
  }

  #isOther(wanted: readonly string[] | undefined): boolean {
    const since = this.#since;
    return (
      since.size > 0 && (wanted?.length !== since.size || !wanted.every((each) => since.has(each)))
    );
  }

  [Symbol.dispose](): void {
    this.watched[Symbol.dispose]();
  }
}

const part = (look: Look, isWanted: (account: string) => boolean): Look => ({
  ...look,
  accounts: look.accounts.filter(({ account }) => isWanted(account)),
  sessions: look.sessions.filter(({ account }) => isWanted(account)),
});
