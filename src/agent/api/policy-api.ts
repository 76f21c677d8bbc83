/**
 * The requests and responses that read and change the policy; see api.ts for the others.
 *
 *     GET  /v1/policy
 *     POST /v1/policy/plan             PolicyEditRequest → PolicyPlan
 *     PUT  /v1/policy                  PolicyWriteRequest → PolicyWritten, or 409 with a PolicyConflict
 *     GET  /v1/policy/changes?tenant=NAME&from=MS&to=MS&before=N
 *     GET  /v1/policy/changes/N
 *     POST /v1/policy/changes/N/undo   → PolicyPlan; a PUT with `undo: N` writes it
 *     POST /v1/policy/keep             PolicyKeepRequest → PolicyKept
 *     POST /v1/policy/simulate         PolicySimulateRequest → what `bulkhead simulate --json` prints
 *
 * `If-Match` has the ETag of the text that the caller has seen, in quotes; 412: the file has another text now. Root
 * changes everything; a reseller what `<reseller may>` of the policy says, by edits only.
 */
import type { Diagnostic } from '../../policy/diagnostic.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { DiffHunk } from '../../policy/changes/line-diff.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import type { ErrorResponse } from './api.ts';

/** A value as an element of the policy has it. */
export interface PolicyValue {
  /** The limit. */
  readonly limit: LimitKey;
  /** The value as the policy writes it: `150%`, `unlimited`. */
  readonly value: string;
  /** The line of the policy's text; absent if no line has it, and for resellers. */
  readonly line?: number;
  /** The file that has it, if that is not the policy's own file but the policy of the host's fleet; then there is no line. */
  readonly file?: string;
  /** The origin of an inherited value, for people: `package "business"`, `defaults`. Absent if it is the element's own. */
  readonly from?: string;
}

/** A right of a reseller: to change limits of its tenants, or to give them packages. */
export type PolicyRight = 'limits' | 'packages';

/** The limits that everybody inherits. */
export interface PolicyDefaults {
  /** The line of the element; absent if there is none. */
  readonly line?: number;
  /** The file that has it, if that is not the policy's own file but the policy of the host's fleet; then there is no line. */
  readonly file?: string;
  /** The values. */
  readonly values: readonly PolicyValue[];
}

/** A package. */
export interface PolicyPackage {
  /** The name. */
  readonly name: string;
  /** The line of the element; absent for resellers. */
  readonly line?: number;
  /** The file that has it, if that is not the policy's own file but the policy of the host's fleet; then there is no line. */
  readonly file?: string;
  /** Its own values, then the defaults that it does not change. */
  readonly values: readonly PolicyValue[];
  /** The number of tenants that have it; a reseller's own only, if a reseller asks. */
  readonly tenants: number;
  /** The resellers that may give it, if not all may. */
  readonly for?: readonly string[];
}

/** A reseller. */
export interface PolicyReseller {
  /** The account's name, or `uid 1001`. */
  readonly name: string;
  /** The target of edits: `reseller NAME`. */
  readonly target: string;
  /** The uid. */
  readonly uid: number;
  /** The line of the element; absent for resellers. */
  readonly line?: number;
  /** The file that has it, if that is not the policy's own file but the policy of the host's fleet; then there is no line. */
  readonly file?: string;
  /** The package that it names. */
  readonly package?: string;
  /** The bounds of all its tenants together. */
  readonly values: readonly PolicyValue[];
  /** The sums of what its tenants were promised. */
  readonly sums: readonly {
    /** The limit. */
    readonly limit: LimitKey;
    /** The sum. */
    readonly value: string;
    /** The number of its tenants without this limit. */
    readonly unlimitedTenants: number;
  }[];
  /** The number of its tenants. */
  readonly tenants: number;
  /** The changes that it may make. */
  readonly may: readonly PolicyRight[];
}

/** A tenant as the policy has it. */
export interface PolicyTenant {
  /** The account's name, or `uid 1001`. */
  readonly name: string;
  /** The target of edits: `tenant NAME`. */
  readonly target: string;
  /** The uid. */
  readonly uid: number;
  /** The line of its element; absent if a range of uids or the panel makes it a tenant. */
  readonly line?: number;
  /** The file that has it, if that is not the policy's own file but the policy of the host's fleet; then there is no line. */
  readonly file?: string;
  /** The reseller's name. */
  readonly reseller?: string;
  /** The package that it has. */
  readonly package?: string;
  /** Whether its own element names the package. */
  readonly isPackageOwn: boolean;
  /** The values of its own element only; the package and the defaults have the others. */
  readonly values: readonly PolicyValue[];
}

/** A change that goes back by itself unless it is kept. */
export interface PolicyPending {
  /** The number of the change; absent if it is not in the record. */
  readonly change?: number;
  /** The time at which it goes back, in milliseconds since 1970. */
  readonly goesBackAt: number;
  /** Seconds until then. */
  readonly secondsLeft: number;
  /** The account that made it. */
  readonly user: string;
}

/** The policy, and what forms need of it. */
export interface PolicyResponse {
  /** The policy file; absent for resellers. */
  readonly file?: string;
  /** The text; absent for resellers, and if there is no file. */
  readonly text?: string;
  /** The ETag of the text, without quotes: SHA-256. A reseller's changes only with what it may see. */
  readonly etag: string;
  /** Errors, warnings and notes; at most 200, errors first. Empty for resellers. */
  readonly diagnostics: readonly Diagnostic[];
  /** Whether forms can change it: `false` for a policy with errors in its XML, or in another format, such as `ve.cfg`. */
  readonly isEditable: boolean;
  /** The rights of the caller; `all` for root. Empty: it changes nothing. */
  readonly may: 'all' | readonly PolicyRight[];
  /** The defaults. */
  readonly defaults: PolicyDefaults;
  /** The packages. */
  readonly packages: readonly PolicyPackage[];
  /** The resellers. */
  readonly resellers: readonly PolicyReseller[];
  /** The tenants, by uid. */
  readonly tenants: readonly PolicyTenant[];
  /** The caller's change that goes back by itself; absent if there is none. */
  readonly pending?: PolicyPending;
  /** The changes of other accounts that go back; only for root, and absent if there are none. */
  readonly othersPending?: readonly PolicyPending[];
}

/** One edit, as `bulkhead set` makes it. */
export interface PolicyEdit {
  /** `defaults`, `package NAME`, `reseller NAME`, `tenant NAME` or `site NAME/SITE`; NAME is an account or a uid. */
  readonly target: string;
  /** Limits and their values: `{"cpu.limit": "150%", "package": "business"}`. `cpu` means `cpu.limit`. */
  readonly set?: Readonly<Record<string, string>>;
  /** Limits that the element no longer has: `cpu.burst`, `package`; `io` means all limits of `io`. */
  readonly unset?: readonly string[];
  /** Whether the element is removed with its content; without `set` and `unset`. */
  readonly remove?: boolean;
}

/** A wanted change: `edits`, a `text`, or the `undo` of a change; exactly one of them. */
export interface PolicyEditRequest {
  readonly edits?: readonly PolicyEdit[];
  /** The whole text; for root only. */
  readonly text?: string;
  /** The number of the change that is undone. */
  readonly undo?: number;
  /** A remark for the record of changes, at most 200 characters. */
  readonly comment?: string;
}

/** A change that the kernel gets. */
export interface PolicyOperation {
  /** The tenant, site or reseller; the host, for what concerns all. */
  readonly who: string;
  /** Whether it concerns the host; `who` then has words for it, not a name. */
  readonly isOfHost?: true;
  /** The file or the setting: `cpu.max`, `cgroup`, `quota on /home`. */
  readonly setting: string;
  /** The value before, for people; absent if there is none. */
  readonly from?: string;
  /** The value after, for people; absent if there is none. */
  readonly to?: string;
  /** The action, for programs that translate it; absent if `setting`, `from` and `to` say all, and for lines of `bulkhead plan`. */
  readonly action?: PolicyAction;
  /** All of it: `cpu.max of alice: 100% → 150%`. */
  readonly text: string;
}

/**
 * The action of an operation. `create` and `remove`: the cgroup; `move`: processes, from one cgroup to another; `write unit`:
 * settings of a slice, in its file; `remove unit`: the limits of a slice; `reload units`: systemd reads its files;
 * `delegate` and `controllers`: the host is prepared. `quota`: `from` and `to` are a quota.
 */
export interface PolicyAction {
  /** The code: a stable word. */
  readonly code:
    | 'create'
    | 'move'
    | 'remove'
    | 'write unit'
    | 'remove unit'
    | 'reload units'
    | 'delegate'
    | 'controllers'
    | 'quota';
  /**
   * The values in its text: `create` CGROUP; `move` FROM, TO; `remove` CGROUP, number of processes in it; `write unit` FILE,
   * SETTING…; `remove unit` UNIT; `delegate` UNIT; `controllers` NAMES, MOUNT POINT; `quota` MOUNT POINT, which resellers
   * do not see.
   */
  readonly values: readonly string[];
  /** The quota before and after; of `quota` only. */
  readonly quota?: { readonly from: PolicyQuota; readonly to: PolicyQuota };
}

/** A disk quota. */
export interface PolicyQuota {
  /** The space: `1GiB`, `unlimited`. */
  readonly space: string;
  /** The number of files, or `unlimited`. */
  readonly files: string;
}

/**
 * A warning about a plan. `policy`: the text has a new warning. `in use`: a tenant uses more than the new limit now.
 * `memory`: its memory is lowered below what is in use. `promised`: more is promised than before, and than there is.
 * `removed`: tenants lose their limits.
 */
export interface PolicyWarning {
  /** The kind of warning. */
  readonly kind: 'policy' | 'in use' | 'memory' | 'promised' | 'removed';
  /** The tenants it concerns, at most 20. */
  readonly tenants: readonly string[];
  /** The number of all tenants it concerns. */
  readonly tenantCount: number;
  /** The limit that is lowered or promised. */
  readonly limit?: LimitKey;
  /** How many times the host's amount tenants are promised; of `promised` only. */
  readonly overcommit?: {
    /** The number now. */
    readonly before: number;
    /** The number after the change. */
    readonly after: number;
  };
  /** The sentence, for commands; other programs translate the fields. */
  readonly text: string;
}

/** The effects that a change would have. */
export interface PolicyPlan {
  /** The hash of what is shown; a PUT sends it as `planned`. */
  readonly planId: string;
  /** The ETag of the text that it changes, without quotes. */
  readonly etag: string;
  /** Whether it changes nothing in the file. */
  readonly isEmpty: boolean;
  /** The lines of the file that change, with lines around them; for a reseller, of its own element. */
  readonly diff: readonly DiffHunk[];
  /** The values that change, at most 100. */
  readonly values: readonly ValueChange[];
  /** The number of all changed values. */
  readonly valueCount: number;
  /** Diagnostics that the new text has and the old one did not have. */
  readonly diagnostics: readonly Diagnostic[];
  /** The changes in the kernel, the first 200. */
  readonly operations: readonly PolicyOperation[];
  /** The number of all changes in the kernel. */
  readonly operationCount: number;
  /** The tenants whose limits or package change, at most 20. */
  readonly tenants: readonly string[];
  /** The number of all tenants. */
  readonly tenantCount: number;
  /** The warnings. */
  readonly warnings: readonly PolicyWarning[];
  /** Whether it can concern many tenants or hurt running programs: defaults, packages, bounds, removals, memory in use. */
  readonly risky: boolean;
}

/** A change to write. */
export interface PolicyWriteRequest extends PolicyEditRequest {
  /** The `planId` of the plan that was shown. */
  readonly planned: string;
  /** The time after which it goes back by itself unless it is kept: 60 to 3,600. */
  readonly revertAfterSeconds?: number;
}

/** The result of a change. */
export interface PolicyWritten {
  /** The number of the change; absent if it could not be recorded, or nothing changed. */
  readonly change?: number;
  /** The ETag of the new text, without quotes. */
  readonly etag: string;
  /** `in force`; `failed`: some changes of the kernel failed; `refused`: the policy in force stays; `kept`: still being applied. */
  readonly state: 'in force' | 'failed' | 'refused' | 'kept';
  /** The reasons of failures. */
  readonly failures: readonly string[];
  /** The change that goes back by itself, if this one does. */
  readonly pending?: PolicyPending;
}

/** The body of 409: the change would do something else than was shown. Of 412: the file has another text. */
export interface PolicyConflict extends ErrorResponse {
  /** The plan on the text of now; absent if the edits do not fit it any more. */
  readonly plan?: PolicyPlan;
  /** The ETag of the text of now. */
  readonly etag: string;
}

/** A recorded change. */
export interface PolicyChange {
  /** The change's number. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How: by the console, by a command, by editing the file, or because nobody kept it. */
  readonly by: 'console' | 'command' | 'hand' | 'itself';
  /** The command or request: `set`, `console`, `console undo 12`, `by hand`. */
  readonly way: string;
  /** The account; absent if nobody knows who edited the file. */
  readonly user?: string;
  /** The account's uid. */
  readonly uid?: number;
  /** The session of the console. */
  readonly session?: string;
  /** The account that asked for the session's login, if it is another one. */
  readonly loginBy?: string;
  /** The remark that came with it. */
  readonly comment?: string;
  /** The changed values, at most 100. Absent if they are unknown: the record begins there, or the text was no policy. */
  readonly values?: readonly ValueChange[];
  /** The number of all changed values. */
  readonly valueCount?: number;
  /** `pending`: not applied yet; `unknown`: perhaps never written. */
  readonly outcome: 'pending' | 'unknown' | 'in force' | 'failed' | 'refused' | 'not written';
  /** The reasons of a failure; at most five. */
  readonly problems: readonly string[];
}

/** The changes, the latest first. */
export interface PolicyChangesResponse {
  /** The changes, at most 200. */
  readonly changes: readonly PolicyChange[];
  /** The number of all in the period; if there are `older` ones, of those that were found so far. */
  readonly total: number;
  /** The number to go on with as `before`: older changes are left out, or were not looked at yet. Absent: there are none. */
  readonly older?: number;
}

/** A change with its lines. */
export interface PolicyChangeResponse extends PolicyChange {
  /** The lines; absent if the text before is unknown. */
  readonly diff?: readonly DiffHunk[];
}

/** Keeps a change that would go back by itself. */
export interface PolicyKeepRequest {
  /** The number of the change, as `pending` has it; absent if that has none. */
  readonly change?: number;
}

/** The change stays. */
export interface PolicyKept {
  /** The number of the change; absent if it is not in the record. */
  readonly change?: number;
}

/** A what-if question. */
export interface PolicySimulateRequest extends PolicyEditRequest {
  /** The period until now: an hour to 400 days. */
  readonly periodSeconds: number;
}
