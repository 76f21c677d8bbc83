/**
 * The tenants for which looks come ten times a second: those near their share, and those that are paused and go on soon.
 *
 * A paused tenant uses nothing, so its use alone would put the next look off, and the one that sees it work again could
 * come a second after that: a second of work at full speed takes many to pay.
 *
 *     near      rate > 80 % of the limit │ paused, the debt is paid within 2 s │ either of them less than 2 s ago
 *     not near  paused for longer: the looks of each second will see the end come
 */

/** A tenant after a look. */
export interface NearUse {
  readonly uid: number;
  /** 1 is one core. */
  readonly rate: number;
  readonly limitFraction: number;
  /** Its debt in microseconds of CPU time; undefined if it is not paused. */
  readonly debtMicroseconds: number | undefined;
}

/** The part of the limit above which looks come more often. */
const nearFraction = 0.8;
/** More than the longest pause between looks that come once a second. */
const soonMicroseconds = 2_000_000;

export class NearTenants {
  /** The time until which each one is near, by uid. */
  readonly #until = new Map<number, number>();

  /** Takes tenants after a look at a time in microseconds; all others stay as they are. */
  note(uses: readonly NearUse[], now: number): void {
    for (const [uid, until] of this.#until) if (until <= now) this.#until.delete(uid);
    for (const each of uses) if (isNear(each)) this.#until.set(each.uid, now + soonMicroseconds);
  }

  /** The uids of those that are near after the latest look. */
  get uids(): ReadonlySet<number> {
    return new Set(this.#until.keys());
  }
}

const isNear = ({ rate, limitFraction, debtMicroseconds: debt }: NearUse): boolean =>
  rate > nearFraction * limitFraction ||
  (debt !== undefined && debt <= soonMicroseconds * limitFraction);
