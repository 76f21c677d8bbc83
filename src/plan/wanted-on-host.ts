/**
 * The wanted state of a host, by its context: with the `systemd` driver, tenants without a reseller are slices, each
 * with a file for systemd. The user slices of resellers' tenants have files, too.
 */
import { acceptCounted } from './counted-quotas.ts';
import type { FileSetting } from '../limits/limit.ts';
import type { Policy } from '../policy/policy.ts';
import {
  boundsText,
  isMisfit,
  isOwner,
  isPartOfSlice,
  sliceNamed,
  sliceOf,
  sliceSettings,
  sliceText,
  type Slice,
} from './slice.ts';
import { wantedState, type Wanted, type WantedCgroup, type WantedContext } from './wanted.ts';

export function wantedOnHost(policy: Policy, context: WantedContext): Wanted {
  const plain = wantedState(policy, context);
  const wanted = { ...plain, cgroups: acceptCounted(plain.cgroups, policy, context) };
  const { unitPath } = context;
  if (unitPath === undefined) return wanted;
  // Without resellers no tree is needed.
  const needed = wanted.cgroups.filter(
    ({ kind, path }) =>
      (kind !== 'root' || policy.resellers.length > 0) && (kind !== 'main' || !isPartOfSlice(path)),
  );
  const values = new Map<readonly FileSetting[], SliceValues>();
  return { ...wanted, cgroups: needed.map((each) => asSlice(each, unitPath, values)) };
}

interface SliceValues {
  readonly settings: readonly FileSetting[];
  readonly text: string;
}

/** Makes the cgroup a slice. Thousands of tenants share a few sets of values. */
function asSlice(
  cgroup: WantedCgroup,
  unitPath: (cgroup: string) => string,
  known: Map<readonly FileSetting[], SliceValues>,
): WantedCgroup {
  if (isMisfit(cgroup.path)) return { ...cgroup, settings: [] };
  const slice = sliceNamed(cgroup.path);
  if (slice === undefined) return cgroup;
  let values = known.get(cgroup.settings);
  if (values === undefined) known.set(cgroup.settings, (values = valuesOf(slice, cgroup.settings)));
  const { settings, text } = values;
  const unit = sliceOf(slice);
  const setBy = cgroup.setBy !== undefined && { setBy: cgroup.setBy };
  return { ...cgroup, settings, unit: { unit, path: unitPath(cgroup.path), text, ...setBy } };
}

function valuesOf(slice: Slice, all: readonly FileSetting[]): SliceValues {
  const settings = sliceSettings(all);
  const text = isOwner(slice) ? sliceText(settings) : boundsText(settings);
  return { settings, text };
}
