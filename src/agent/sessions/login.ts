/** A login to the console: whose rights a session has, and the account that asked for it. */

export interface Account {
  readonly uid: number;
  readonly user: string;
  /** Whether it is in /etc/passwd; accounts of a directory service are not. */
  readonly isLocal: boolean;
}

export interface Login {
  /** The account whose rights the session has. */
  readonly account: Account;
  /** The account that asked for the login, as the kernel reported it. The session never sees more than this account. */
  readonly by: Account;
  readonly readOnly: boolean;
  /** The id of the session from which it was opened, and with which it ends. */
  readonly within?: string;
}

export const rootAccount: Account = { uid: 0, user: 'root', isLocal: true };

/** The time that a session lasts: without a request, and at most. */
export interface Lifetime {
  readonly idleSeconds: number;
  readonly seconds: number;
}

const minute = 60;
const hour = 60 * minute;
const ofRoot: Lifetime = { idleSeconds: 30 * minute, seconds: 12 * hour };
const ofOthers: Lifetime = { idleSeconds: 2 * hour, seconds: 24 * hour };

export const lifetimeOf = ({ account }: Login): Lifetime => (account.uid === 0 ? ofRoot : ofOthers);

export interface LoginBounds {
  /** The most of one account for one account. */
  readonly ofPair: number;
  readonly inAll: number;
}

interface Held {
  readonly login: Login;
}

/**
 * Returns which of `held`, the oldest first, must go before one more for `login` is added. An account that makes many
 * loses its own. Root's own are never lost to others.
 */
export function evictedFor<T extends Held>(
  held: readonly T[],
  login: Login,
  { ofPair, inAll }: LoginBounds,
): T | undefined {
  const pair = held.filter((each) => isSamePair(each.login, login));
  if (pair.length >= ofPair) return pair[0];
  if (held.length < inAll) return undefined;
  const made = held.filter((each) => each.login.by.uid !== 0);
  const foreign = held.filter((each) => each.login.account.uid !== 0);
  const candidates = [made, foreign].find((each) => each.length > 0) ?? held;
  const byMaker = [...Map.groupBy(candidates, (each) => each.login.by.uid).values()];
  return byMaker.reduce<readonly T[]>((a, b) => (b.length > a.length ? b : a), [])[0];
}

const isSamePair = (a: Login, b: Login) => a.account.uid === b.account.uid && a.by.uid === b.by.uid;
