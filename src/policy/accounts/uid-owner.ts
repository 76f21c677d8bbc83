/** The owner of a uid. Another owner inherits nothing that is kept for the uid. */
export interface UidOwner {
  /** The account name, or `uid 1001` if there is none. */
  readonly name: string;
  /** The identity of the home directory among all that were ever at its path; absent if unknown. */
  readonly home?: string | undefined;
}

/** Whether it is the same owner, as far as known. */
export const isSameOwner = (kept: UidOwner, now: UidOwner): boolean =>
  kept.name === now.name &&
  (kept.home === undefined || now.home === undefined || kept.home === now.home);
