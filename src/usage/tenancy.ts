/**
 * Who has a uid, and since when. A uid is given again once its account is removed (the highest one to the very
 * next account), so what is kept under a uid may be somebody else's: only what is younger than the beginning
 * is shown to its holder.
 */
export interface Tenancy {
  /** What the account is called, or `uid 1001` where there is none. */
  readonly name: string;
  /** What tells its home directory from any other at the same place; absent where it could not be told. */
  readonly home: string | undefined;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** As it is found now; without what could not be found out. */
export type Holder = Omit<Tenancy, 'since'>;

/**
 * The same holder, or another who begins now. Another name is another holder, and so is another home
 * directory: an account that was removed and made again under its old name.
 */
export function continued(known: Tenancy | undefined, now: Holder, at: number): Tenancy {
  const isAnother =
    known === undefined ||
    known.name !== now.name ||
    (known.home !== undefined && now.home !== undefined && known.home !== now.home);
  if (isAnother) return { ...now, since: at };
  return now.home === undefined || now.home === known.home ? known : { ...known, home: now.home };
}
