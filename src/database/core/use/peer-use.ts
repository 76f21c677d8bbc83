/**
 * Divides a server's CPU time among tenants where the kernel tells who is at the other end of its sockets.
 *
 * A tenant's own clients are charged by the socket, whatever account they use. Accounts are charged for the rest, such as
 * clients by TCP or in phpMyAdmin: for what their counters show above that, and in sum for no more than the server has
 * used for clients that are nobody's, and not for accounts of nobody. So a tenant that uses another's account cannot have
 * it charged with the time of the host's own clients. Events have no client, and count for their account.
 */

/** CPU time in microseconds, since a server was first watched. */
export interface PeerTotals {
  /** Sums with another name have nothing to do with these. */
  readonly name: string;
  /** The use of each tenant, by uid. */
  readonly tenants: ReadonlyMap<number, number>;
  /** The use of clients that are no tenants', and of clients by TCP. */
  readonly others: number;
}

/** CPU time by account, in microseconds: since the account was asked about. */
type ByAccount = ReadonlyMap<string, number>;

export interface ServerUse {
  /** Whether all accounts were asked about. */
  readonly isAll: boolean;
  readonly used: ByAccount;
  /** The part of `used` that events have used. */
  readonly events: ByAccount;
  /** Undefined where only the accounts are known. */
  readonly peers: PeerTotals | undefined;
}

/** Stands for accounts that belong to no tenant. */
const nobody = -1;
/** Counters have what a statement used when it ends, so they are behind by as much, and are never far ahead later. */
const behindMaxMicroseconds = 1_000_000;

/** Adds up the use of one server, look by look. */
export class TenantShares {
  /** The sums that have been charged. */
  #name: string | undefined;
  readonly #charged = new Map<number, number>();
  #others = 0;
  /** The time by which the counters of each tenant's accounts are ahead of what its clients have used. */
  readonly #ahead = new Map<number, number>();

  /** Whether the last use was divided by sockets. */
  isBySocket = false;

  /**
   * Returns the CPU time of each tenant in microseconds. A later look corrects an earlier one, so it may be negative.
   * `isAsked`: whether a look that is not at all accounts is at this tenant's.
   */
  divide(
    { isAll, used, events, peers }: ServerUse,
    tenantOf: (account: string) => number | undefined,
    isAsked: (uid: number) => boolean = () => isAll,
  ): ReadonlyMap<number, number> {
    const byAccount = sumsOf(used, tenantOf);
    this.isBySocket = peers !== undefined && peers.name === this.#name;
    if (!this.isBySocket || peers === undefined) {
      this.#begin(peers);
      return without(nobody, byAccount);
    }
    const shares = sumsOf(events, tenantOf);
    for (const [uid, total] of peers.tenants) {
      if (!isAll && !isAsked(uid)) continue;
      add(shares, uid, total - (this.#charged.get(uid) ?? 0));
      this.#charged.set(uid, total);
    }
    for (const [tenant, microseconds] of byAccount) add(this.#ahead, tenant, microseconds);
    for (const [tenant, microseconds] of shares) add(this.#ahead, tenant, -microseconds);
    if (isAll) this.#addRest(shares, peers.others);
    return without(nobody, shares);
  }

  #begin(peers: PeerTotals | undefined): void {
    this.#name = peers?.name;
    this.#charged.clear();
    for (const [uid, total] of peers?.tenants ?? []) this.#charged.set(uid, total);
    this.#others = peers?.others ?? 0;
    this.#ahead.clear();
  }

  /** Charges what counters show above what is charged already. */
  #addRest(shares: Map<number, number>, others: number): void {
    const left = others - this.#others - Math.max(0, this.#ahead.get(nobody) ?? 0);
    this.#others = others;
    const rest = [...this.#ahead].filter(([tenant, ahead]) => tenant !== nobody && ahead > 0);
    const all = rest.reduce((sum, [, ahead]) => sum + ahead, 0);
    for (const [tenant, ahead] of rest)
      add(shares, tenant, ahead * Math.min(1, Math.max(0, left) / all));
    for (const [tenant, ahead] of this.#ahead)
      this.#ahead.set(tenant, Math.max(-behindMaxMicroseconds, Math.min(0, ahead)));
  }
}

function sumsOf(
  byAccount: ByAccount,
  tenantOf: (account: string) => number | undefined,
): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [account, microseconds] of byAccount)
    add(sums, tenantOf(account) ?? nobody, microseconds);
  return sums;
}

const add = (sums: Map<number, number>, key: number, microseconds: number) =>
  void sums.set(key, (sums.get(key) ?? 0) + microseconds);

const without = (key: number, sums: ReadonlyMap<number, number>) =>
  new Map([...sums].filter(([each]) => each !== key));
