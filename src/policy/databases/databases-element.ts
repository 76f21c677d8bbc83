/**
 * The database servers of the host, and the tenants that their accounts belong to.
 *
 *     <databases accounts="prefix" exempt="root backup" hold="watch">
 *       <server kind="mariadb" socket="/run/mysqld/mysqld.sock"/>
 *       <account name="wp_prod" tenant="alice"/>
 *     </databases>
 */
import type { Located, Span } from '../diagnostic.ts';

export const serverKinds = ['mariadb', 'mysql', 'postgresql'] as const;
export type ServerKind = (typeof serverKinds)[number];

/** Whether the name of an account shows whose it is, if nothing else does. */
export const accountRules = ['prefix', 'none'] as const;
export type AccountRule = (typeof accountRules)[number];

/** Whether the programs of a tenant above its share of a server are paused, or it is only reported. */
export const holdModes = ['watch', 'on'] as const;
export type HoldMode = (typeof holdModes)[number];

/** The word for an account that belongs to no tenant. */
export const nobodysAccount = 'none';

export interface DatabaseServer {
  readonly kind: ServerKind;
  readonly socket: string;
  /** The file with the name and the password of the account to use; absent: the server knows the caller by its uid. */
  readonly credentials?: string;
}

/** An account of a database server, and the tenant, by name or uid. */
export interface AccountElement extends Span {
  readonly name: Located<string>;
  readonly tenant: Located<string>;
}

export interface ServerElement {
  readonly server: DatabaseServer;
  /** The socket, in the policy's text. */
  readonly at: Span;
}

export interface DatabasesElement extends Span {
  readonly rule: AccountRule;
  readonly exempt: readonly Located<string>[];
  readonly hold: HoldMode;
  readonly servers: readonly ServerElement[];
  readonly accounts: readonly AccountElement[];
}
