/** Releases of the kernel, as far as its loader's rules changed with them. */

export type Release = readonly [major: number, minor: number];

/** A range of releases in which something is so; every release if neither bound is given. */
export interface Releases {
  readonly from?: Release;
  /** The first release in which it is no longer so. */
  readonly before?: Release;
}

export const isEarlier = (one: Release, other: Release): boolean =>
  one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);

export const covers = ({ from, before }: Releases, release: Release): boolean =>
  (from === undefined || !isEarlier(release, from)) &&
  (before === undefined || isEarlier(release, before));
