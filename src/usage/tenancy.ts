/**
 * Who holds a uid, and since when. A uid is reused once its account is removed (the highest one for the very
 * next account), so data kept for a uid may be of a previous holder: only what is younger than the beginning
 * is shown to its holder.
 */
export interface Tenancy {
  /** The name of the account, or `uid 1001` if there is none. */
  readonly name: string;
  /** Identifies its home directory among all that were ever at its path; absent if unknown. */
  readonly home: string | undefined;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** The current holder; unknown parts are absent. */
export type Holder = Omit<Tenancy, 'since'>;

/**
 * The same holder, or a new one who begins now. Another name means another holder, and so does another
 * home directory: an account that was removed and created again under its old name.
 */
export function continued(known: Tenancy | undefined, now: Holder, at: number): Tenancy {
  const isAnother =
    known === undefined ||
    known.name !== now.name ||
    (known.home !== undefined && now.home !== undefined && known.home !== now.home);
  if (isAnother) return { ...now, since: at };
  return now.home === undefined || now.home === known.home ? known : { ...known, home: now.home };
}
