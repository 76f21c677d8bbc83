/** Ends statements and connections of tenants in one server: those above a limit, and those of tenants that pausing does not hold. */
import {
  decideEndings,
  heaviest,
  noAttempts,
  type Attempts,
  type Ending,
} from '../../core/backstops.ts';
import { isOrdinary, type ServerAccount } from '../../core/connection-numbers.ts';
import type { DatabaseLimits } from '../../core/database-limits.ts';
import type { Look } from '../../core/look.ts';
import type { HeldTenant } from './holder.ts';
import type { WatchedServer } from '../worker/watched-server.ts';

export interface EndingRules {
  /** The uid of each account's tenant. */
  readonly owners: ReadonlyMap<string, number>;
  readonly limits: ReadonlyMap<number, DatabaseLimits>;
  readonly held: readonly HeldTenant[];
}

export class SessionEndings {
  readonly #server: Pick<WatchedServer, 'accounts' | 'end'>;
  /** Accounts that had global privileges when they were last listed; undefined before that. */
  #privileged: ReadonlySet<string> | undefined;
  #attempts: Attempts = noAttempts;
  /** The connections of tenants without a limit on them when pausing turned out not to help, by uid. */
  readonly #openBefore = new Map<number, number>();

  constructor(server: Pick<WatchedServer, 'accounts' | 'end'>) {
    this.#server = server;
  }

  /** Takes the list of all accounts. */
  know(accounts: readonly ServerAccount[]): void {
    this.#privileged = privilegedOf(accounts);
  }

  /** Returns what was ended. Nothing is before it is known which accounts have global privileges. */
  async end({ sessions }: Look, { owners, limits, held }: EndingRules): Promise<readonly Ending[]> {
    const privileged = this.#privileged;
    if (privileged === undefined) return [];
    const own = Map.groupBy(sessions, ({ account }) => owners.get(account));
    const rules = { owners, limits: this.#limitsWith(held, limits, own), privileged };
    const decided = decideEndings({ sessions }, rules, this.#attempts);
    this.#attempts = decided.attempts;
    const ids = new Set(decided.endings.map(({ id }) => id));
    const more = held.flatMap(({ uid, ends }) =>
      heaviest(own.get(uid) ?? [], uid, privileged, ends),
    );
    const all = [...decided.endings, ...more.filter(({ id }) => !ids.has(id))];
    if (all.length === 0) return [];
    const spared = await this.#privilegedNow(all);
    const endings = all.filter(({ account }) => spared?.has(account) === false);
    const ended = new Set(await this.#server.end(endings));
    return endings.filter(({ id }) => ended.has(id));
  }

  /** Asks again about the accounts of these sessions, which may be new. Undefined if there is no answer. */
  async #privilegedNow(endings: readonly Ending[]): Promise<ReadonlySet<string> | undefined> {
    const names = new Set(endings.map(({ account }) => account));
    const accounts = await this.#server.accounts([...names]);
    if (accounts === undefined) return undefined;
    const known = new Set(accounts.map(({ account }) => account));
    return new Set([...privilegedOf(accounts), ...[...names].filter((each) => !known.has(each))]);
  }

  /** A tenant that pausing does not hold keeps only a part of its connections. */
  #limitsWith(
    held: readonly HeldTenant[],
    limits: ReadonlyMap<number, DatabaseLimits>,
    own: ReadonlyMap<number | undefined, readonly unknown[]>,
  ) {
    const capped = held.filter(({ connectionsFraction }) => connectionsFraction < 1);
    const uids = new Set(capped.map(({ uid }) => uid));
    for (const uid of this.#openBefore.keys()) if (!uids.has(uid)) this.#openBefore.delete(uid);
    const all = new Map<number, DatabaseLimits & { idleConnections?: number }>(limits);
    for (const { uid, connectionsFraction } of capped) {
      const limit = all.get(uid);
      const part = (of: number) => Math.max(1, Math.floor(of * connectionsFraction));
      if (limit?.connections !== undefined) {
        all.set(uid, { ...limit, connections: part(limit.connections) });
        continue;
      }
      const open = this.#openBefore.get(uid) ?? own.get(uid)?.length ?? 0;
      this.#openBefore.set(uid, open);
      all.set(uid, { ...limit, idleConnections: part(open) });
    }
    return all;
  }
}

const privilegedOf = (accounts: readonly ServerAccount[]): ReadonlySet<string> =>
  new Set(accounts.filter((each) => !isOrdinary(each)).map(({ account }) => account));
