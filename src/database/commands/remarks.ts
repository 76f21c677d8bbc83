/** Remarks of `check` and `doctor` on a policy's database limits, with the servers of this host. */
import type { Paths } from '../../host/paths.ts';
import { findDatabases } from '../../host/databases/find.ts';
import type { Policy } from '../../policy/policy.ts';
import { serverRemarks } from '../core/server-remarks.ts';

export const databaseRemarks = (paths: Paths, policy: Policy): readonly string[] =>
  serverRemarks(policy, findDatabases(paths));
