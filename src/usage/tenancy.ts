/**
 * The current owner of a uid, and its start time. A uid is reused once its account is removed (the highest one for the
 * very next account). So data kept for a uid may be a previous owner's: the current owner sees only data younger than
 * the start time.
 */
import { isSameOwner, type UidOwner } from '../policy/accounts/uid-owner.ts';

export interface Tenancy extends UidOwner {
  /** Milliseconds since 1970. */
  readonly since: number;
}

/**
 * Returns the same tenancy, or a new one that starts now. Another name means another owner, and so does another home
 * directory: an account that was removed and created again under its old name.
 */
export function continued(known: Tenancy | undefined, now: UidOwner, at: number): Tenancy {
  if (known === undefined || !isSameOwner(known, now)) return { ...now, since: at };
  return now.home === undefined || now.home === known.home ? known : { ...known, home: now.home };
}
