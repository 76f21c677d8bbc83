/** The paths of a run, apart from the instance in force. */
import { pathsOf, type Paths } from '../../host/paths.ts';

/**
 * Returns the paths of the instance whose tenants are attacked: its cgroups and its runtime directory are separate from
 * all others.
 */
export const scratchPaths = ({ instance }: Paths): Paths => pathsOf(`${instance}-prove`);

/** Returns the path of the lock that a run takes. */
export const proveLock = ({ runtime }: Paths): string => `${runtime}.lock`;

/** Returns the path of this run's record, for the next run or `--clean`. */
export const recordFile = ({ runtime }: Paths): string => `${runtime}/scratch.json`;

export interface ScratchRecord {
  /** The directory with the homes. */
  readonly root: string;
  readonly uids: readonly number[];
}
