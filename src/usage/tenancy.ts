/**
 * The current owner of a uid, and its start time. A uid is reused once its account is removed (the highest one for the
 * very next account). So data kept for a uid may be a previous owner's: the current owner sees only data younger than
 * the start time.
 */
export interface Tenancy {
  /** The account name, or `uid 1001` if there is none. */
  readonly name: string;
  /** The identity of its home directory among all that were ever at its path; absent if unknown. */
  readonly home: string | undefined;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** The current owner; unknown parts are absent. */
export type UidOwner = Omit<Tenancy, 'since'>;

/**
 * Returns the same tenancy, or a new one that starts now. Another name means another owner, and so does another home
 * directory: an account that was removed and created again under its old name.
 */
export function continued(known: Tenancy | undefined, now: UidOwner, at: number): Tenancy {
  const isAnother =
    known === undefined ||
    known.name !== now.name ||
    (known.home !== undefined && now.home !== undefined && known.home !== now.home);
  if (isAnother) return { ...now, since: at };
  return now.home === undefined || now.home === known.home ? known : { ...known, home: now.home };
}
