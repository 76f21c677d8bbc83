/**
 * The accounts that are looked at ten times a second where a server has very many: those of tenants near their share, and
 * once a second all of them.
 */

/** Up to so many accounts, all are asked about each time. */
const accountsMany = 500;
const allMilliseconds = 1_000;
/** Longer names together could make a statement that is too long: each character takes up to six of the statement. */
const charactersMax = 120_000;
/** A look at an account takes about 4 µs of the agent's CPU time, of which it may use a twentieth. */
const pauseMillisecondsPerAccount = 0.08;

/** Returns the pause after a look at so many accounts, while a tenant is near its share. */
export const nearPauseMilliseconds = (accounts: number): number =>
  Math.min(allMilliseconds, Math.max(100, accounts * pauseMillisecondsPerAccount));

export class NearAccounts {
  readonly #uids: ReadonlySet<number>;
  readonly #accounts: readonly string[] | undefined;
  readonly #at: number;

  /** Takes what was seen of all `accounts` at a time in milliseconds; `uids` are the tenants near their share. */
  constructor(
    accounts: readonly string[],
    uids: ReadonlySet<number>,
    tenantOf: (account: string) => number | undefined,
    at: number,
  ) {
    const isNear = (account: string) => {
      const tenant = tenantOf(account);
      return tenant !== undefined && uids.has(tenant);
    };
    const isMany = uids.size > 0 && accounts.length > accountsMany;
    const own = isMany ? accounts.filter(isNear) : [];
    const characters = own.reduce((sum, account) => sum + account.length, 0);
    // A look at most of them costs no less than one at all.
    const isPart = own.length > 0 && own.length <= accounts.length / 2;
    this.#accounts = isPart && characters <= charactersMax ? own : undefined;
    this.#uids = this.#accounts === undefined ? new Set() : uids;
    this.#at = at;
  }

  /** Whether the tenant is looked at more often than others. */
  has(uid: number): boolean {
    return this.#uids.has(uid);
  }

  /** Returns the accounts to look at now; undefined: all. */
  accounts(now: number): readonly string[] | undefined {
    return now - this.#at < allMilliseconds ? this.#accounts : undefined;
  }
}
