/** The database settings of a resolved policy. */
import type { Span } from '../diagnostic.ts';
import type { AccountRule, DatabaseServer, HoldMode } from './databases-element.ts';

/** An account that the policy names. */
export interface NamedDatabaseAccount {
  readonly name: string;
  /** The uid of its tenant; absent if it belongs to no tenant. */
  readonly tenant?: number;
  /** The element, in the policy's text. */
  readonly at: Span;
}

/** The kinds of servers whose accounts have names of their own: MariaDB is of the kind `mysql`. */
export type AccountKind = 'mysql' | 'postgresql';

/** An account of which the panel states the owner. */
export interface StatedDatabaseAccount {
  readonly name: string;
  /** Absent: `mysql`. An account of another kind may have the same name and another owner. */
  readonly kind?: AccountKind;
  /** The owner's account on the host. */
  readonly user: string;
  /** Its uid; absent if it is not a tenant. */
  readonly tenant?: number;
}

export interface DatabaseSettings {
  readonly rule: AccountRule;
  /** Accounts that belong to no tenant. */
  readonly exempt: readonly string[];
  readonly hold: HoldMode;
  /** Servers that the policy names, besides those that are found. */
  readonly servers: readonly DatabaseServer[];
  readonly accounts: readonly NamedDatabaseAccount[];
  /** Accounts of which the panel states the owner, if the policy follows it. */
  readonly stated: readonly StatedDatabaseAccount[];
}

/** The settings of a policy without `<databases>`. */
export const defaultDatabases: DatabaseSettings = {
  rule: 'prefix',
  exempt: [],
  hold: 'watch',
  servers: [],
  accounts: [],
  stated: [],
};
