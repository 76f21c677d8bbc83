/** Counts the tenants in force: those who are slices of systemd, and all others. */
import { readLaunch } from '../../host/cgroups/launch-file.ts';
import type { Paths } from '../../host/paths.ts';
import { SliceFiles } from '../../host/systemd/slice-files.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { isOwner } from '../../plan/slice.ts';
import type { TenantCounts } from '../core/view.ts';

/** Returns undefined if no policy is in force. */
export function countTenants(paths: Paths): TenantCounts | undefined {
  const launch = readLaunch(paths.runtime);
  if (launch === undefined) return undefined;
  const [root] = launch.roots;
  const others = root === undefined ? 0 : countIn(root);
  return { slices: launch.slices === undefined ? 0 : countSlices(paths), others };
}

const countSlices = (paths: Paths): number =>
  new SliceFiles(paths).slices().filter((slice) => isOwner(slice) && slice.site === undefined)
    .length;

/** Counts `u1001` and `r1000/u1001`. */
function countIn(root: string): number {
  const names = namesIn(root);
  const below = names
    .filter((name) => /^r\d+$/.test(name))
    .flatMap((name) => namesIn(`${root}/${name}`));
  return [...names, ...below].filter((name) => /^u\d+$/.test(name)).length;
}
