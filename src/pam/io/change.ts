/** A planned change of the host's PAM. */
import type { Problem } from '../../../packages/base/problem.ts';
import { profileMark, type PamProfile } from '../core/profiles.ts';
import { profileDirectory, type PamSnapshot } from './pam-files.ts';

export interface PamChange {
  readonly profiles: readonly PamProfile[];
  readonly before: PamSnapshot;
  readonly after: PamSnapshot;
  /** Notes for the administrator. */
  readonly notes: readonly string[];
}

/** Returns the problem if a file is in the way of one of our profiles. */
export function foreignProfile(files: PamSnapshot): Problem | undefined {
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
