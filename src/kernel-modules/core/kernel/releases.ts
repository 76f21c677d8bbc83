/** Releases of the kernel, as far as its loader's rules changed with them. */

export type Release = readonly [major: number, minor: number];

/** From which release on, and until which, something holds; always where neither is given. */
export interface Releases {
  readonly from?: Release;
  /** The first that it does not hold for any more. */
  readonly before?: Release;
}

export const isEarlier = (one: Release, other: Release): boolean =>
  one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);

export const covers = ({ from, before }: Releases, release: Release): boolean =>
  (from === undefined || !isEarlier(release, from)) &&
  (before === undefined || isEarlier(release, before));
