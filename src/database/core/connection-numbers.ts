/**
 * The number of connections of each account: a tenant's number, divided over its accounts, since the server counts each
 * account by itself. Every account gets a number from the start: the server counts only connections that were opened
 * while their account had one.
 */

import { isPostgresqlSocket } from '../../policy/databases/postgresql-socket.ts';
import { isServersOwn } from '../../policy/databases/servers-own.ts';

/** An account, as `bulkhead.accounts` lists it. */
export interface ServerAccount {
  readonly account: string;
  readonly host: string;
  /** Its MAX_USER_CONNECTIONS; 0 is none. */
  readonly connections: number;
  readonly isRole: boolean;
  /** Global privileges, also by a role; undefined if they are not known. */
  readonly privileges: readonly string[] | undefined;
  /** Whether it may create events in some schema. */
  readonly createsEvents: boolean;
  /** Whether it may grant its privileges to others. */
  readonly grants: boolean;
}

export interface WantedNumber {
  readonly account: string;
  readonly host: string;
  readonly connections: number;
}

export interface ConnectionNumbers {
  readonly wanted: readonly WantedNumber[];
  /** Tenants with more accounts than connections: each account has 1, so together they have more than allowed. */
  readonly exceeded: readonly number[];
}

interface Input {
  readonly accounts: readonly ServerAccount[];
  /** The uid of each account's tenant; an account of nobody and an exempt one are absent. */
  readonly owners: ReadonlyMap<string, number>;
  /** The number of each tenant, by uid; a tenant without a limit is absent. */
  readonly limits: ReadonlyMap<number, number>;
}

/** Whether Bulkhead may set the account's number and end its statements. */
export const isOrdinary = ({ account, isRole, privileges }: ServerAccount): boolean =>
  !isRole && privileges?.length === 0 && !isServersOwn(account);

/**
 * Whether the account lets in whoever has no other account. The server then counts and shows them by the name that they
 * gave, which can be a tenant's.
 */
export const isAnonymous = ({
  account,
  isRole,
}: Pick<ServerAccount, 'account' | 'isRole'>): boolean => account === '' && !isRole;

/** Returns why names prove nothing in a server with such an account, and what to do. */
export const anybodysLogin = (socket: string): string =>
  isPostgresqlSocket(socket)
    ? 'pg_hba.conf has lines with "trust" that let everybody in under the names of others; write "peer" or "scram-sha-256" there'
    : "an account without a name lets everybody in under any name; remove it: DROP USER ''@localhost";

/** The most that `cap` accepts. */
export const numberMax = 100_000;

export function connectionNumbers({ accounts, owners, limits }: Input): ConnectionNumbers {
  const owned = accounts.flatMap((each) => {
    const tenant = owners.get(each.account);
    return tenant === undefined || !limits.has(tenant) || !isOrdinary(each)
      ? []
      : [{ tenant, each }];
  });
  const wanted: WantedNumber[] = [];
  const exceeded: number[] = [];
  for (const [tenant, own] of Map.groupBy(owned, (each) => each.tenant)) {
    const limit = Math.min(limits.get(tenant) ?? numberMax, numberMax);
    if (own.length > limit) exceeded.push(tenant);
    const sorted = own.map(({ each }) => each).toSorted(byName);
    sorted.forEach(({ account, host }, index) =>
      wanted.push({ account, host, connections: part(limit, sorted.length, index) }),
    );
  }
  return { wanted, exceeded };
}

/** Returns the part of one of several accounts; the first ones get what is left over. */
const part = (limit: number, accounts: number, index: number) =>
  Math.max(1, Math.floor(limit / accounts) + (index < limit % accounts ? 1 : 0));

const byName = (a: ServerAccount, b: ServerAccount) => {
  const [first, second] = [keyOf(a), keyOf(b)];
  if (first === second) return 0;
  return first < second ? -1 : 1;
};

/** Returns a key that no two accounts share: neither part can have the character NUL. */
export const keyOf = ({
  account,
  host,
}: {
  readonly account: string;
  readonly host: string;
}): string => `${account}\0${host}`;

/** Returns the name of an account for people, who must make it printable: `alice_1@localhost`. */
export const accountName = ({
  account,
  host,
}: {
  readonly account: string;
  readonly host: string;
}): string => (host === '' ? account : `${account}@${host}`);
