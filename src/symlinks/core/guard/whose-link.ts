/**
 * Whose fault a refused link is: that of the tenant who owns it, by its own uid or a subordinate one. Where nobody known
 * owns it, as on a file system that a program serves, it is that of the tenant in whose home it lies.
 */

export interface Home {
  readonly uid: number;
  readonly path: string;
}

/** `tenantOf` knows subordinate uids; `place`: where the link is; it does not begin with a slash where that is not known. */
export function whoseLink(
  owner: number,
  place: string,
  tenantOf: (uid: number) => number | undefined,
  homes: readonly Home[],
): number | undefined {
  const tenant = tenantOf(owner);
  // Root's own are nobody's fault.
  if (tenant !== undefined || owner === 0) return tenant;
  let nearest: Home | undefined;
  for (const home of homes)
    if (place.startsWith(`${home.path}/`) && home.path.length > (nearest?.path.length ?? 0))
      nearest = home;
  return nearest?.uid;
}
