/**
 * The tenant that a refused link counts against: the one that owns it, by its own uid or a subordinate one. If nobody
 * known owns it, as on a file system that a program serves, it is the tenant in whose home the link lies.
 */

export interface Home {
  readonly uid: number;
  readonly path: string;
}

/**
 * Finds the tenant. `tenantOf` knows subordinate uids. `place` is the link's path; it does not begin with a slash if
 * the path is not known.
 */
export function whoseLink(
  owner: number,
  place: string,
  tenantOf: (uid: number) => number | undefined,
  homes: readonly Home[],
): number | undefined {
  const tenant = tenantOf(owner);
  // Root's own links count against nobody.
  if (tenant !== undefined || owner === 0) return tenant;
  let nearest: Home | undefined;
  for (const home of homes)
    if (place.startsWith(`${home.path}/`) && home.path.length > (nearest?.path.length ?? 0))
      nearest = home;
  return nearest?.uid;
}
