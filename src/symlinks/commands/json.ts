/** The values that `bulkhead symlinks` prints with `--json`. Schemas are generated from these types. */
import type { LinkFinding } from '../core/audit/finding.ts';
import type { GuardRule } from '../core/guard/rule.ts';
import type { Audit } from '../io/audit/audit.ts';
import type { HomeProblem } from '../io/audit/protocol.ts';
import type { GuardChoice } from '../io/guard/choice.ts';
import type { GuardCounters } from '../io/guard/guard.ts';

/** The findings in tenants' homes, the worst first. */
export interface SymlinksAuditJson extends Omit<Audit, 'findings' | 'problems'> {
  /** The links. */
  readonly findings: readonly FindingJson[];
  /** The parts of homes that could not be audited. */
  readonly problems: readonly HomeProblemJson[];
}

/** A path that is not text has its bytes in `…Base64`. */
export interface FindingJson extends Pick<LinkFinding, 'severity' | 'kind' | 'reason'> {
  /** The tenant in whose home it is. */
  readonly tenant: AuditedTenant;
  /** The path of the link. */
  readonly path: string;
  /** The bytes of `path`, if it is not text. */
  readonly pathBase64?: string;
  /** The text of the link; for a hard link another name of the file; null if none was found. */
  readonly target: string | null;
  /** The bytes of `target`, if it is not text. */
  readonly targetBase64?: string;
  /** The path at which the link ends, without links on the way; null if it ends nowhere. */
  readonly leadsTo: string | null;
  /** The bytes of `leadsTo`, if it is not text. */
  readonly leadsToBase64?: string;
  /** The uid that owns the link itself. */
  readonly owner: number;
  /** The uid that owns the file that the link reaches; null if there is none. */
  readonly targetOwner: number | null;
  /** The inode of a hard link's file; null for a symbolic link. */
  readonly inode: string | null;
}

export interface AuditedTenant {
  readonly uid: number;
  /** The account. */
  readonly name: string;
}

/** A part of a home that was not audited. */
export interface HomeProblemJson extends Pick<HomeProblem, 'kind'> {
  /** The tenant whose home it is. */
  readonly tenant: AuditedTenant;
  /** The path that could not be read. */
  readonly path: string;
  /** The bytes of `path`, if it is not text. */
  readonly pathBase64?: string;
  readonly reason: string;
}

/** The guard, as `status` and `doctor` report it. */
export interface GuardView {
  /** The state that the policy and the administrator's choice demand. */
  readonly wanted: GuardChoice;
  /** The state now. */
  readonly state: GuardChoice;
  /** The result of a test just now; absent if nothing is loaded. */
  readonly tried?: 'refuses' | 'does not refuse';
  /** Whether it restricts the users that the policy names. */
  readonly asWanted: boolean;
  /** The reason why it cannot be enabled, or does not work. */
  readonly problem?: string;
  /** The rule that is loaded; absent if none is. */
  readonly rule?: GuardRule;
  /** Counters; absent if nothing is loaded. */
  readonly counters?: GuardCounters;
}

/** The state of the guard. */
export type SymlinksGuardStatusJson = GuardView;

/** The change that enabled the guard. */
export type SymlinksGuardEnableJson = GuardChange;

/** The change that disabled the guard. */
export type SymlinksGuardDisableJson = GuardChange;

/** The change that reconciled the guard with the policy. */
export type SymlinksGuardSyncJson = GuardChange;

export interface GuardChange {
  /** The state afterwards; `watch`: it only reports. */
  readonly state: GuardChoice;
  /** Whether anything was changed, or with `--dry-run` would be. */
  readonly changed: boolean;
  readonly dryRun?: true;
  /** The rule that would be loaded. */
  readonly rule?: GuardRule;
}
