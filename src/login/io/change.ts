/** A change of the host's PAM, planned and not done. */
import type { Problem } from '../../base/problem.ts';
import { profileMark, type Profile } from '../core/profiles.ts';
import { profileDirectory, type Snapshot } from './pam-files.ts';

export interface Change {
  readonly profiles: readonly Profile[];
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** What the administrator has to know. */
  readonly notes: readonly string[];
}

/** A file in the way of a profile of ours. */
export function foreignProfile(files: Snapshot): Problem | undefined {
  for (const [path, text] of files)
    if (
      path.startsWith(`${profileDirectory}/`) &&
      text !== undefined &&
      !text.startsWith(profileMark)
    )
      return {
        action: 'write',
        object: path,
        reason: "a file that is not Bulkhead's is there",
        hint: 'move it away first',
      };
  return undefined;
}
