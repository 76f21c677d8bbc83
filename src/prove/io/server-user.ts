/**
 * The user as whom a web server reads files: the one that the policy names in `<symlinks
 * by="www-data">`.
 */
import { readHostFacts } from '../../host/accounts/accounts.ts';
import { readGroups } from '../../host/accounts/groups.ts';
import type { Paths } from '../../host/paths.ts';

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
  /** Present if the supplementary groups of its account are used. */
  readonly groups?: 'its own';
}

/** Returns the first of the names that is an account or a group; else a uid of nobody. */
export function serverUser(paths: Paths, names: readonly string[], nobodys: number): ServerUser {
  const { accounts } = readHostFacts(paths, names);
  for (const name of names) {
    const account = accounts.find(({ user }) => user === name);
    // Root may read everything anyhow.
    if (account !== undefined && account.uid !== 0)
      return { uid: account.uid, gid: account.gid, groups: 'its own' };
    const gid = readGroups(paths).get(name);
    if (gid !== undefined && gid !== 0) return { uid: nobodys, gid };
  }
  return { uid: nobodys, gid: nobodys };
}
