/** Cgroups and slices that the policy no longer wants, and where their processes go. */
import type { OrphanCgroup } from './observed.ts';
import type { MoveProcesses, Operation } from './operations.ts';
import { outsideNamed } from './slice.ts';
import { dividedCgroup, lastName, mainCgroup, type Wanted, type WantedCgroup } from './wanted.ts';

/**
 * Removes parts of tenants that stay where they are, and other cgroups. A remaining tenant's processes move to its new
 * place, or out of a removed part.
 */
export function removals(
  wanted: Wanted,
  orphans: readonly OrphanCgroup[],
): readonly [parts: readonly Operation[], others: readonly Operation[]] {
  const places = new Map(wanted.cgroups.map((each) => [each.path, each]));
  const tenants = new Map(
    wanted.cgroups
      .filter(({ kind }) => kind === 'tenant')
      .map((each) => [lastName(each.path), each]),
  );
  const parts: Operation[] = [];
  const others: Operation[] = [];
  for (const orphan of orphans) {
    const divided = dividedCgroup(orphan.path);
    // Processes of a user slice stay in it.
    const place =
      outsideNamed(orphan.path) === undefined
        ? tenants.get(lastName(divided ?? orphan.path))
        : undefined;
    const stays = divided !== undefined && divided === place?.path;
    const into = stays ? parts : others;
    const move = place && moveFrom(orphan, place, { stays, places });
    if (move !== undefined) into.push(move);
    // A divided tenant's parts are removed with the whole.
    if (divided !== undefined && !stays && orphan.unit === undefined) continue;
    into.push({
      kind: 'remove',
      cgroup: orphan.path,
      hierarchies: orphan.hierarchies,
      processes: place === undefined ? orphan.processes : [],
      ...(move && { to: move.to }),
      ...(orphan.unit === undefined ? {} : { unit: orphan.unit.unit }),
    });
  }
  return [parts, others];
}

/** Moves the processes of a cgroup to where their tenant is now; undefined if they stay where they are. */
function moveFrom(
  { path, unit }: OrphanCgroup,
  place: WantedCgroup,
  {
    stays,
    places,
  }: { readonly stays: boolean; readonly places: ReadonlyMap<string, WantedCgroup> },
): MoveProcesses | undefined {
  // Processes in a site's slice keep running in the tenant's slice around it.
  if (stays && unit !== undefined) return undefined;
  const part = dividedCgroup(path) === undefined ? 'main' : lastName(path);
  return { kind: 'move', from: path, to: partOf(place, part, places), label: place.label };
}

/** Returns the part of that name, or else the one for everything. */
function partOf(
  { path }: WantedCgroup,
  part: string,
  places: ReadonlyMap<string, WantedCgroup>,
): string {
  const found = [`${path}/${part}`, mainCgroup(path)].find((each) => places.has(each));
  return found ?? path;
}
