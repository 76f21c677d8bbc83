/** A watched server and its previous state: what each account, and each tenant's clients, have used since then. */
import { attribute, attributeEvents, Calibration } from '../core/use/attribution.ts';
import { TenantShares, type PeerTotals, type ServerUse } from '../core/use/peer-use.ts';
import type { Look } from '../core/look.ts';
import type { ServerProcess } from '../core/peers/peer-maps.ts';
import type { WatchedServer } from './worker/watched-server.ts';

/** CPU time in microseconds. */
export interface SeenUse extends ServerUse {
  readonly look: Look;
  /** Whether all accounts were looked at. */
  readonly isAll: boolean;
  /** The time since the previous look. */
  readonly elapsedMicroseconds: number;
  /** The time since all accounts were asked about. */
  readonly allMicroseconds: number;
}

/** Returns the use by a server's clients as the kernel shows it; undefined where it shows none. */
export type ReadPeers = (process: ServerProcess) => PeerTotals | undefined;

export class SeenServer implements Disposable {
  readonly watched: WatchedServer;
  readonly shares = new TenantShares();
  readonly #calibration = new Calibration();
  #last: Look | undefined;
  /** The last one at all accounts, and those that were looked at since. */
  #all: Look | undefined;
  #since: ReadonlySet<string> = new Set();

  constructor(watched: WatchedServer) {
    this.watched = watched;
  }

  /** The server's process, once it has answered. */
  get process(): ServerProcess | undefined {
    const { state } = this.watched;
    return state.kind === 'seen' ? state.process : undefined;
  }

  /**
   * Undefined while nothing is known: at the first look, and while the server does not answer. `wanted`: looks at these
   * accounts, and at all if they are others than at the look before. `transactions`: see `DatabaseServer`.
   */
  async look(
    wanted?: readonly string[],
    readPeers?: ReadPeers,
    transactions?: boolean,
  ): Promise<SeenUse | undefined> {
    const only = this.#isOther(wanted) ? undefined : wanted;
    const look = await this.watched.look(only, transactions);
    const peers = look === undefined ? undefined : this.#peers(readPeers);
    const [last, all] = [this.#last, this.#all];
    const asked = only === undefined ? this.#since : new Set(only);
    this.#last = look;
    if (only === undefined || look === undefined) this.#all = look;
    this.#since = only === undefined ? new Set() : asked;
    if (look === undefined || last === undefined || all === undefined) return undefined;
    if (only === undefined) this.#calibration.learn(all, look);
    const { constants } = this.#calibration;
    type Use = (before: Look, now: Look) => ReadonlyMap<string, number>;
    const sinceAsked = (use: Use) => {
      const of = (before: Look, isWanted: (account: string) => boolean) =>
        use(part(before, isWanted), part(look, isWanted));
      const some = asked.size === 0 ? [] : of(last, (account) => asked.has(account));
      const rest = only === undefined ? of(all, (account) => !asked.has(account)) : [];
      return new Map([...some, ...rest]);
    };
    return {
      look,
      isAll: only === undefined,
      elapsedMicroseconds: look.atMicroseconds - last.atMicroseconds,
      allMicroseconds: look.atMicroseconds - all.atMicroseconds,
      used: sinceAsked((before, now) => attribute(before, now, constants)),
      events: sinceAsked(attributeEvents),
      peers,
    };
  }

  #peers(read: ReadPeers | undefined): PeerTotals | undefined {
    const process = read === undefined ? undefined : this.process;
    return process === undefined ? undefined : read?.(process);
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
