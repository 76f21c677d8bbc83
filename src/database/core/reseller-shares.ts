/**
 * Holds the tenants of a reseller to its share of the CPU time together: each reseller has a budget like a tenant's, and
 * while it owes, those of its tenants that have used most lately pause.
 *
 *     limit 100 %, tenants that use 90 %, 40 % and 10 %        the first one pauses: the others are within the limit
 */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Policy } from '../../policy/policy.ts';
import { charge, debtMicrosecondsMax, savedMicrosecondsMax } from './bucket.ts';

/** The use of a tenant since the look before. */
interface Use {
  readonly tenant: { readonly uid: number; readonly reseller?: number | undefined };
  /** Undefined if it is not known. */
  readonly usedMicroseconds: number | undefined;
}

interface Share {
  balance: number;
  /** The use by each tenant in the last seconds, by uid; the longer ago, the less it counts. */
  recent: ReadonlyMap<number, number>;
}

/** The time over which use counts. */
const recentMicroseconds = 10_000_000;
/** The part of an equal part that nobody pauses for. */
const keptFraction = 0.75;
/** A longer time between looks was without figures. */
const elapsedMicrosecondsMax = 2_000_000;

export class ResellerShares {
  /** CPU time per time by the reseller's uid: 1 is one core. */
  readonly #limits: ReadonlyMap<number, number>;
  readonly #shares = new Map<number, Share>();
  #at: number | undefined;

  constructor({ resellers }: Pick<Policy, 'resellers'>) {
    this.#limits = new Map(
      resellers.flatMap(({ uid, values }) => {
        const limit = values['database.cpu'];
        return limit === undefined || limit === unlimited ? [] : [[uid, limit] as const];
      }),
    );
  }

  /** Takes the use of all tenants, at a time in microseconds. Returns the uids of those that are to pause. */
  add(uses: readonly Use[], now: number): ReadonlySet<number> {
    const elapsed = Math.min(elapsedMicrosecondsMax, Math.max(0, now - (this.#at ?? now)));
    this.#at = now;
    const pausing = new Set<number>();
    const groups = Map.groupBy(uses, ({ tenant }) => tenant.reseller);
    for (const [reseller, limit] of this.#limits) {
      const own = groups.get(reseller) ?? [];
      const share = this.#shares.get(reseller) ?? {
        balance: savedMicrosecondsMax,
        recent: new Map<number, number>(),
      };
      this.#shares.set(reseller, share);
      share.balance = charge(share.balance, {
        usedMicroseconds: own.reduce((sum, each) => sum + (each.usedMicroseconds ?? 0), 0),
        elapsedMicroseconds: elapsed,
        limitFraction: limit,
      });
      share.recent = recentOf(own, share.recent, elapsed);
      if (share.balance >= 0) continue;
      for (const each of heaviest(share.recent, limit, share.balance)) pausing.add(each);
    }
    return pausing;
  }
}

function recentOf(
  uses: readonly Use[],
  before: ReadonlyMap<number, number>,
  elapsed: number,
): ReadonlyMap<number, number> {
  const kept = Math.exp(-elapsed / recentMicroseconds);
  return new Map(
    uses.map(({ tenant: { uid }, usedMicroseconds = 0 }) => [
      uid,
      Math.max(0, (before.get(uid) ?? 0) * kept + usedMicroseconds),
    ]),
  );
}

/**
 * Returns those that have used most, the first in any case, since together they owe: all above the level up to which
 * everybody can use what it used within the limit. The more they owe, the lower the level is, though never far below an
 * equal part.
 */
function heaviest(recent: ReadonlyMap<number, number>, limit: number, balance: number) {
  const sorted = [...recent].filter(([, used]) => used > 0).toSorted(([, a], [, b]) => b - a);
  const all = limit * recentMicroseconds;
  const owing = Math.min(1, -balance / debtMicrosecondsMax);
  const level = Math.max(
    levelOf(sorted.map(([, used]) => used).toReversed(), all * (1 - owing)),
    (keptFraction * all) / sorted.length,
  );
  return sorted.filter(([, used], index) => index === 0 || used > level).map(([uid]) => uid);
}

/** Returns how much each may use so that all use `total` together; `ascending` is what they want. */
function levelOf(ascending: readonly number[], total: number): number {
  let left = total;
  for (const [index, each] of ascending.entries()) {
    const equal = left / (ascending.length - index);
    if (each > equal) return equal;
    left -= each;
  }
  return Infinity;
}
