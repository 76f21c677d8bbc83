/** Notes on user slices of resellers' tenants: processes that systemd starts there do not count towards the reseller's sum. */
import { count } from '../../../../packages/base/list.ts';
import type { Paths } from '../../../host/paths.ts';
import { SliceFiles } from '../../../host/systemd/slice-files.ts';
import { isOwner, sliceOf } from '../../../plan/slice.ts';
import { slicesCgroup } from '../../../plan/wanted.ts';
import { docPage } from '../../../sys/package-files.ts';

/** Returns the note on one tenant; none if its user slice is its cgroup, or has no limits of ours. */
export function outsideNote(uid: number, paths: Paths): string | undefined {
  const slice = { outside: uid };
  if (new SliceFiles(paths).read(slice) === undefined) return undefined;
  return `Processes that systemd starts in ${sliceOf(slice)}, such as the user manager, do not count towards the reseller's sum. The slice has the lower of the tenant's and the reseller's limits, separately`;
}

/** Returns the note on all tenants; none if there is no such slice. */
export function outsideNotes(paths: Paths): readonly string[] {
  const slices = new SliceFiles(paths).slices();
  const outside = slices.filter((slice) => slice !== slicesCgroup && !isOwner(slice));
  if (outside.length === 0) return [];
  return [
    `Processes that systemd starts in the user slices of resellers' tenants (${count(outside.length, 'tenant')}), such as user managers, do not count towards their reseller's sum. Each slice has the lower of the tenant's and the reseller's limits, separately: ${docPage('apply')}`,
  ];
}
