/** Where everything of a run is, beside what is in force. */
import { pathsOf, type Paths } from '../../host/paths.ts';

/** The instance whose tenants are attacked: its cgroups and its runtime directory are apart from all others. */
export const scratchPaths = ({ instance }: Paths): Paths => pathsOf(`${instance}-prove`);

/** Held by the run. */
export const proveLock = ({ runtime }: Paths): string => `${runtime}.lock`;

/** What the next run, or whoever cleans up, has to know of this one. */
export const recordFile = ({ runtime }: Paths): string => `${runtime}/scratch.json`;

export interface ScratchRecord {
  /** The directory with the homes. */
  readonly root: string;
  readonly uids: readonly number[];
}
