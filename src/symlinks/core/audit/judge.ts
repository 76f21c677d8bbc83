/**
 * Judges how bad a name in a tenant's home is. The tenant's own files do not count. Others' files are the worse the
 * less the tenant could read them without help, since a server with more rights may follow the name for anybody.
 */
import { isAtLeast, type LinkJudgement } from './finding.ts';

/** The destination of a symbolic link. Paths are byte strings without links. */
export type Destination =
  | {
      readonly kind: 'there';
      readonly path: string;
      /** `MAJOR:MINOR:INODE`. */
      readonly identity: string;
      readonly owner: number;
      readonly permissions: number;
      readonly type: 'directory' | 'file' | 'other';
      /** Whether everyone may enter each directory on the way. */
      readonly open: boolean;
      /** Whether it is in /proc, /sys or the like. */
      readonly ofKernel: boolean;
    }
  /** Nothing has the name; `owner` owns the last directory that exists. */
  | { readonly kind: 'nowhere'; readonly path: string; readonly owner: number }
  /** The destination was not read, since it could make us wait. */
  | { readonly kind: 'unread'; readonly path: string; readonly why: string }
  | { readonly kind: 'loop' };

/** The tenant whose home it is. */
export interface Whose {
  readonly uid: number;
  /** Whether the uid is the tenant's: its own, or a subordinate one. */
  readonly owns: (uid: number) => boolean;
}

/** The facts about the other accounts. */
export interface Neighbours {
  readonly nameOf: (uid: number) => string;
  readonly isTenant: (uid: number) => boolean;
  /** Returns the tenant whose home the path is in. */
  readonly homeOf: (path: string) => number | undefined;
  /** Whether homes lie below it. */
  readonly holdsHomes: (path: string) => boolean;
}

/** The facts about the link itself. */
export interface LinkFacts {
  readonly owner: number;
  /** The number of names of the link. */
  readonly names: number;
}

/** Judges a symbolic link; undefined if there is nothing to report. */
export function judgeLink(
  { owner, names }: LinkFacts,
  to: Destination,
  whose: Whose,
  neighbours: Neighbours,
): LinkJudgement | undefined {
  const judged = judgeDestination(owner, to, whose, neighbours);
  // An administrator, or a panel, wanted it so.
  if (judged !== undefined && owner === 0)
    return { severity: 'low', reason: `root made this link; ${judged.reason}` };
  const foreign = judgeForeignLink(owner, names, whose, neighbours);
  if (judged === undefined || foreign === undefined) return judged ?? foreign;
  return isAtLeast(judged.severity, foreign.severity) ? judged : foreign;
}

/**
 * Judges a link that somebody else owns: a server that trusts links by their owner follows it to that owner's files.
 */
function judgeForeignLink(
  owner: number,
  names: number,
  whose: Whose,
  { isTenant, nameOf }: Neighbours,
): LinkJudgement | undefined {
  if (owner === 0 || whose.owns(owner)) return undefined;
  // A server that runs as a system account may have made it here.
  if (!isTenant(owner) && names < 2) return undefined;
  const what = names > 1 ? 'it is a second name of a link' : 'it is a link';
  return { severity: isTenant(owner) ? 'high' : 'medium', reason: `${what} of ${nameOf(owner)}` };
}

function judgeDestination(
  owner: number,
  to: Destination,
  whose: Whose,
  neighbours: Neighbours,
): LinkJudgement | undefined {
  if (to.kind === 'loop') return undefined;
  if (to.kind === 'unread')
    return { severity: 'medium', reason: `it leads to ${to.why}, which was not read` };
  if (whose.owns(to.owner)) return undefined;
  const home = neighbours.homeOf(to.path);
  const other = home === undefined || whose.owns(home) ? undefined : neighbours.nameOf(home);
  if (to.kind === 'nowhere') return judgeNowhere(to.owner, other, neighbours);
  if (to.owner === owner && owner !== 0) return undefined;
  return judgeThere(to, other, neighbours);
}

/** Judges a link to a missing file: whoever creates the file creates it for the link. */
function judgeNowhere(
  owner: number,
  other: string | undefined,
  { isTenant, nameOf }: Neighbours,
): LinkJudgement {
  if (other !== undefined)
    return {
      severity: 'medium',
      reason: `nothing is there yet, but it would be in the home of ${other}`,
    };
  if (isTenant(owner))
    return {
      severity: 'medium',
      reason: `nothing is there yet, but it would be in a directory of ${nameOf(owner)}`,
    };
  return { severity: 'low', reason: 'nothing is there, and the tenant could not make it' };
}

const systemPrograms = /^\/(usr|bin|sbin|lib|lib32|lib64|libx32|opt)(\/|$)/;
const forEveryone = 0o004;

function judgeThere(
  to: Destination & { readonly kind: 'there' },
  other: string | undefined,
  { isTenant, nameOf, holdsHomes }: Neighbours,
): LinkJudgement {
  const owner = nameOf(to.owner);
  const what = to.type === 'directory' ? 'a directory' : 'a file';
  if (other !== undefined)
    return { severity: 'high', reason: `it leads into the home of ${other}` };
  if (isTenant(to.owner)) return { severity: 'high', reason: `it leads to ${what} of ${owner}` };
  if (to.ofKernel)
    return {
      severity: 'medium',
      reason: 'it leads to what the kernel tells of whoever follows it',
    };
  if (to.type === 'directory' && holdsHomes(to.path))
    return { severity: 'high', reason: 'it leads to a directory above the homes of tenants' };
  if (to.type === 'other')
    return { severity: 'low', reason: `it leads to a device, a socket or a pipe of ${owner}` };
  if (!to.open || (to.permissions & forEveryone) === 0)
    return {
      severity: 'high',
      reason: `it leads to ${what} of ${owner} that not everyone can read`,
    };
  if (systemPrograms.test(to.path))
    return { severity: 'low', reason: `it leads to ${what} of the system that everyone can read` };
  return {
    severity: 'medium',
    reason: `it leads out of the home, to ${what} of ${owner} that everyone can read`,
  };
}

const setIds = 0o6000;

/** Judges a file in the home that has further names. */
export function judgeHardLink(
  owner: number,
  permissions: number,
  whose: Whose,
  { isTenant, nameOf }: Neighbours,
): LinkJudgement | undefined {
  if (whose.owns(owner)) return undefined;
  const name = nameOf(owner);
  if (isTenant(owner))
    return { severity: 'high', reason: `it is a second name of a file of ${name}` };
  if ((permissions & setIds) !== 0)
    return {
      severity: 'high',
      reason: `it is a second name of a set-id program of ${name}, and stays when that is upgraded`,
    };
  if ((permissions & forEveryone) === 0)
    return {
      severity: 'high',
      reason: `it is a second name of a file of ${name} that not everyone can read`,
    };
  return { severity: 'medium', reason: `it is a second name of a file of ${name}` };
}
