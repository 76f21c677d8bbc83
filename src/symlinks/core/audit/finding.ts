/**
 * The findings of an audit of homes: names by which a tenant, or a server that acts for it, reaches others' files.
 *
 * Paths are byte strings, a character a byte, since tenants choose names that are not text; `shown-path.ts` makes text
 * of them.
 */

/** The severities, the worst first. */
export const linkSeverities = ['high', 'medium', 'low'] as const;
export type LinkSeverity = (typeof linkSeverities)[number];

/** Whether `severity` is at least as bad as `than`. */
export const isAtLeast = (severity: LinkSeverity, than: LinkSeverity): boolean =>
  linkSeverities.indexOf(severity) <= linkSeverities.indexOf(than);

export interface LinkFinding {
  /** Whether it is a symbolic or a hard link. */
  readonly kind: 'link' | 'hard link';
  /** How dangerous it is. */
  readonly severity: LinkSeverity;
  /** The tenant in whose home it is. */
  readonly tenant: number;
  readonly path: string;
  /** The text of the link; for a hard link another name of the file, if one was found. */
  readonly target: string | undefined;
  /** The path at which the link ends, without links on the way; absent if it ends nowhere. */
  readonly leadsTo: string | undefined;
  /** Uid of the link itself. */
  readonly owner: number;
  /** The uid of the file that the link reaches, if there is one. */
  readonly targetOwner: number | undefined;
  /** Half a sentence in plain words. */
  readonly reason: string;
  /** `MAJOR:MINOR:INODE` of a hard link's file. */
  readonly file: string | undefined;
}

/** The judgement of one name. */
export type LinkJudgement = Pick<LinkFinding, 'severity' | 'reason'>;
