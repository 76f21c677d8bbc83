/**
 * The limits of which members used nearly all in the last minute. A member stays near a limit for that long, so that
 * use around the mark does not flicker.
 */
import type { LimitKey } from '../../limits/limit.ts';
import { advised } from '../../usage/advise.ts';
import type { Member } from '../../usage/member.ts';
import type { Tick } from '../../usage/tick.ts';
import type { MemberEntry } from './member-index.ts';

const nearShare = 0.9;
/** Limits that were hit, or nearly, within this time count as such now. */
export const currentMilliseconds = 60_000;

export class NearLimits {
  /** The monotonic time of the last tick in which a member was near a limit. */
  readonly #last = new Map<Member, Map<LimitKey, number>>();

  add(tick: Tick, entries: ReadonlyMap<Member, Pick<MemberEntry, 'limits'>>, now: number): void {
    this.#forgetOld(now);
    for (const [row, member] of tick.members.entries()) {
      const limits = entries.get(member)?.limits ?? {};
      for (const [key, metric] of advised) {
        const limit = limits[key];
        const used = tick.columns[metric][row] ?? 0;
        // What is not a number is unknown.
        if (limit === undefined || !(used >= nearShare * limit)) continue;
        let mine = this.#last.get(member);
        if (mine === undefined) this.#last.set(member, (mine = new Map()));
        mine.set(key, now);
      }
    }
  }

  #forgetOld(now: number): void {
    for (const [member, limits] of this.#last) {
      for (const [key, at] of limits) if (at < now - currentMilliseconds) limits.delete(key);
      if (limits.size === 0) this.#last.delete(member);
    }
  }

  of(member: Member): readonly LimitKey[] {
    return [...(this.#last.get(member)?.keys() ?? [])];
  }

  forget(members: Iterable<Member>): void {
    for (const member of members) this.#last.delete(member);
  }
}
