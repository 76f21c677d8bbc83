/** The values that `bulkhead panel` prints with `--json`. Schemas are generated from these types. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import type { PanelSourceName } from '../../policy/panel/panel-record.ts';
import type { PanelRole } from '../core/panel-data.ts';

/** The knowledge of this host's control panel; every part names the file or script that states it. */
export interface PanelStatusJson {
  /** The name of the panel; null if this host has none that can be read. */
  readonly panel: string | null;
  /** The source that was read; null without one. */
  readonly source: PanelSourceName | null;
  /** The directory or file of the source; null without one. */
  readonly from: string | null;
  /** The accounts. */
  readonly accounts: readonly PanelAccountJson[];
  /** The packages. */
  readonly packages: readonly PanelPackageJson[];
  /** The resellers. */
  readonly resellers: readonly PanelResellerJson[];
  /** How the policy follows the panel; null if it does not. */
  readonly followed: PanelFollowedJson | null;
  /** The parts that could not be read, or are contradictory. */
  readonly problems: readonly Problem[];
}

/** A policy that follows the panel. */
export interface PanelFollowedJson {
  /** The panel that the policy names; "auto": the one that this host has. */
  readonly source: FollowedSource;
  /** The time of the last reading that has changed something, as ISO 8601; null if it was never read. */
  readonly readAt: string | null;
  /** The accounts that keep the plan of an earlier reading, since a part cannot be read; null if that is not known. */
  readonly carriedOver: readonly string[] | null;
  /** The plans of accounts that the policy has no package for; null if the policy has errors, or the panel's record cannot be used. */
  readonly unknownPlans:
    | readonly {
        /** The plan; `gold@acme` if a reseller owns it. Null for accounts that had a plan, and for which the panel states none now. */
        readonly plan: string | null;
        /** The accounts. */
        readonly accounts: readonly string[];
        /** The accounts that keep lower limits of their last package. */
        readonly kept: readonly string[];
        /** The names of those packages. */
        readonly packages: readonly string[];
      }[]
    | null;
}

/** An account of the panel that this host has, too. */
export interface PanelAccountJson {
  /** The name of the account. */
  readonly user: string;
  /** The uid of the account on this host. */
  readonly uid: number;
  /** The role of the account in the panel. */
  readonly role: PanelRole;
  /** The package; null without one. */
  readonly package: PanelPackageNameJson | null;
  /** The panel account that it belongs to; null if that is not known. */
  readonly owner: string | null;
  /** The address for mail; null if that is not known. */
  readonly mail: string | null;
  /** The domains. */
  readonly domains: readonly string[];
  /** The limits that the panel states for this account, by the policy's names. */
  readonly limits: Readonly<Record<string, string>>;
  /** The file or script that states it. */
  readonly from: string;
}

/** The name of a package. */
export interface PanelPackageNameJson {
  /** The name. */
  readonly name: string;
  /** The panel account that owns the package; null if that is not known. */
  readonly owner: string | null;
}

/** A package of the panel. */
export interface PanelPackageJson extends PanelPackageNameJson {
  /** The limits that Bulkhead can enforce, by the policy's names. */
  readonly limits: Readonly<Record<string, string>>;
  /** The limits that the panel enforces itself, as they are written there. */
  readonly ownLimits: Readonly<Record<string, string>>;
  /** The file or script that states it. */
  readonly from: string;
}

/** A reseller of the panel. */
export interface PanelResellerJson {
  /** The name of the reseller. */
  readonly name: string;
  /** The address for mail; null if that is not known. */
  readonly mail: string | null;
  /** The number of accounts that belong to it. */
  readonly accounts: number;
  /** The file or script that states it. */
  readonly from: string;
}

/** The result of `bulkhead panel sync`. */
export interface PanelSyncJson {
  /** The name of the panel; null if another process reads it. */
  readonly panel: string | null;
  /** The number of accounts; null if another process reads them. */
  readonly accounts: number | null;
  /** The accounts that are new. */
  readonly added: readonly string[];
  /** The accounts whose plan, owner or address has changed. */
  readonly changed: readonly string[];
  /** The accounts that the panel does not have any more. */
  readonly removed: readonly string[];
  /** The parts that could not be read, or are contradictory. */
  readonly problems: readonly Problem[];
  /** Whether another process, which has not begun yet, reads the panel for this one, too. */
  readonly readsLater: boolean;
}

/** `bulkhead panel hooks status` */
export interface PanelHooksStatusJson {
  /** The hooks of panels on this host. */
  readonly hooks: readonly {
    /** The panel's name. */
    readonly panel: string;
    /** The file, or the event of cPanel's registry. */
    readonly where: string;
    /** Whether it calls Bulkhead. */
    readonly enabled: boolean;
  }[];
  /** Hooks that cannot be read. */
  readonly problems: readonly Problem[];
}
