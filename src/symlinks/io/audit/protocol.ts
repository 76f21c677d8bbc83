/**
 * The protocol between the audit and the processes that read homes: a line of JSON each. Paths are byte strings.
 *
 * A process gets the accounts once, then one home after the other. At the end it is asked which names it has seen of
 * files that are known by a number only.
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { LinkFinding, LinkSeverity } from '../../core/audit/finding.ts';

export interface HomeToRead {
  readonly uid: number;
  readonly path: string;
  /** First and last of each range of subordinate uids. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

export interface Accounts {
  readonly proc: string;
  readonly homes: readonly HomeToRead[];
  readonly names: readonly (readonly [uid: number, name: string])[];
  /** Whether hard links are looked for, too. */
  readonly hardLinks: boolean;
  /** The maximum number of findings of one home and severity that are reported in full; further ones are counted. */
  readonly findingsMax: number;
}

export type AuditRequest =
  | { readonly kind: 'accounts'; readonly accounts: Accounts }
  /** The home by its place in the list. */
  | { readonly kind: 'home'; readonly index: number }
  | { readonly kind: 'names'; readonly files: readonly string[] };

export interface HomeProblem {
  readonly tenant: number;
  readonly path: string;
  readonly cause: Cause;
  /** The kind of problem; `unread` is a part that should have been read. */
  readonly kind: 'skipped' | 'unread';
}

export interface HomeDone {
  readonly kind: 'done';
  readonly index: number;
  /** Names read. */
  readonly entries: number;
  readonly links: number;
  readonly found: Readonly<Record<LinkSeverity, number>>;
  /** Whether files with several names were too many to remember all. */
  readonly indexIsFull: boolean;
}

export type AuditReply =
  | { readonly kind: 'alive'; readonly entries: number }
  | { readonly kind: 'finding'; readonly finding: LinkFinding }
  | { readonly kind: 'problem'; readonly problem: HomeProblem }
  | HomeDone
  | {
      readonly kind: 'names';
      readonly names: readonly (readonly [file: string, path: string])[];
    };
