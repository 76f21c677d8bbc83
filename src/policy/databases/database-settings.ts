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

export interface DatabaseSettings {
  readonly rule: AccountRule;
  /** Accounts that belong to no tenant. */
  readonly exempt: readonly string[];
  readonly hold: HoldMode;
  /** Servers that the policy names, besides those that are found. */
  readonly servers: readonly DatabaseServer[];
  readonly accounts: readonly NamedDatabaseAccount[];
}
