/** The accounts, packages and resellers of a control panel, read once. Every fact names the file or script that it came from. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { PanelSourceName } from '../../policy/panel/panel-record.ts';

/** Limits under the names of the policy; one that the panel does not state is absent. */
export type StatedLimits = ReadonlyMap<LimitKey, Quantity>;

export type PanelRole = 'user' | 'reseller' | 'administrator';

/** The name of a package, and the panel account that owns it. Two owners may use one name. */
export interface PackageName {
  readonly name: string;
  readonly owner?: string;
}

export interface PanelDomain {
  readonly name: string;
  readonly from: string;
}

/** The accounts of database servers, by the kind of server. */
export type StatedDatabases = Pick<PanelAccount, 'databaseAccounts' | 'postgresqlAccounts'>;

interface Fact {
  /** The file, or the script of the panel, that states it. */
  readonly from: string;
}

export interface PanelAccount extends Fact {
  readonly user: string;
  readonly uid: number;
  readonly role: PanelRole;
  readonly package?: PackageName;
  /** The panel account that it belongs to. */
  readonly owner?: string;
  /** The address for mail. */
  readonly mail?: string;
  readonly domains: readonly PanelDomain[];
  /** Its accounts of MariaDB and MySQL servers; absent if the panel does not state them, or they cannot be read. */
  readonly databaseAccounts?: readonly string[];
  /** The same for PostgreSQL servers: one name may have another owner there. */
  readonly postgresqlAccounts?: readonly string[];
  /** The limits that the panel states for this account. */
  readonly limits: StatedLimits;
}

export interface PanelPackage extends PackageName, Fact {
  readonly limits: StatedLimits;
  /** Limits that the panel enforces itself, such as the number of databases, as they are written there. */
  readonly ownLimits: ReadonlyMap<string, string>;
}

export interface PanelReseller extends Fact {
  readonly name: string;
  readonly mail?: string;
}

export interface PanelData {
  /** The name of the panel. */
  readonly panel: string;
  readonly source: PanelSourceName;
  /** The directory or file that was read. */
  readonly from: string;
  readonly accounts: readonly PanelAccount[];
  readonly packages: readonly PanelPackage[];
  readonly resellers: readonly PanelReseller[];
  /** Panel accounts that own others without being resellers. */
  readonly administrators: readonly string[];
  /** Whether a part could not be read: an account or a plan that is not here may exist all the same. */
  readonly isPartial: boolean;
  /** The parts that could not be read, or are contradictory, and what became of them. */
  readonly problems: readonly Problem[];
}

/** An account as a source states it: nothing of it is checked yet. */
export interface StatedAccount extends Omit<PanelAccount, 'uid'> {
  /** The uid, if the source states one; the host's own counts. */
  readonly uid?: number;
}

/** Everything that a source states, before it is compared with the host and with itself. */
export interface StatedData extends Omit<PanelData, 'accounts' | 'isPartial'> {
  /** Whether accounts may name another owner of a package than the package does: CPAPI's scripts do. */
  readonly ownersAreVague?: true;
  readonly accounts: readonly StatedAccount[];
}
