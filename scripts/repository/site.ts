/** The facts about a repository that all of its parts share. */
import type { Build } from '../package/tools.ts';

export interface Site {
  /** The address below which clients find the output directory. */
  readonly url: string;
  readonly output: string;
  readonly keyringVersion: string;
}

/** One run of the script; `epoch` is the time of the signatures. */
export interface Job extends Pick<Build, 'work' | 'signal' | 'epoch'> {
  readonly site: Site;
}

const daySeconds = 86_400;
/** The time for which apt accepts metadata: nobody can keep clients at an old version for longer. */
export const validSeconds = 60 * daySeconds;

/** The name of the key's files, without their ending. */
export const keyringName = 'bulkhead-archive-keyring';
