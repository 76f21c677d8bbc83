/**
 * Limits that made processes be killed or refused, as the gate compares them: which tenants hit a limit that they had
 * not hit in the week before, in the watch and in the same hours of earlier days.
 */
import type { LimitKey, Severity } from '../../limits/limit.ts';
import { kindOf, tenantMember, uidOf, type Member } from '../../usage/member.ts';

const day = 86_400_000;
/** How long a limit must not have been hit to count as new. */
export const quietMilliseconds = 7 * day;
/** The number of earlier days, at most. */
export const daysMax = 14;

/** A time in which a member hit a limit; an incident is one. Milliseconds since 1970. */
export interface Hit {
  readonly member: Member;
  readonly limit: LimitKey;
  readonly begin: number;
  readonly end: number;
}

export interface Period {
  readonly from: number;
  readonly to: number;
}

/** Whether a tenant's work ended or failed by it. Slower work is what limits are for. */
export const isHarmful = (severity: Severity): boolean =>
  severity === 'killed' || severity === 'refused';

/** Returns the tenant or reseller that suffers. A tenant's site is the tenant: one customer counts once. */
export const sufferer = (member: Member): Member =>
  kindOf(member) === 'reseller' ? member : tenantMember(uidOf(member));

export const hitKey = ({ member, limit }: Pick<Hit, 'member' | 'limit'>): string =>
  `${sufferer(member)} ${limit}`;

/** The days before a watch. */
export interface HitHistory {
  /** The limits that each tenant hit in the week before the watch, as `hitKey` names them. */
  readonly known: ReadonlySet<string>;
  /** The tenants that hit a limit in the same hours, and had not hit it for a week: their number, for each earlier day. */
  readonly days: readonly number[];
}

/**
 * Returns what the hits before a watch say. `since`: when the records begin. Days before that are unknown, not quiet. The
 * week before a day may have begun before the records: hits count as new then, which makes the gate slower to fail.
 */
export function hitHistory(watch: Period, hits: readonly Hit[], since: number): HitHistory {
  const known = new Set<string>();
  for (const each of hits)
    if (overlaps(each, { from: watch.from - quietMilliseconds, to: watch.from }))
      known.add(hitKey(each));
  const days: number[] = [];
  for (let back = 1; back <= daysMax; back++) {
    const period = { from: watch.from - back * day, to: watch.to - back * day };
    if (period.from < since) break;
    days.push(newSufferers(period, hits));
  }
  return { known, days };
}

function newSufferers(period: Period, hits: readonly Hit[]): number {
  const before = { from: period.from - quietMilliseconds, to: period.from };
  const old = new Set(hits.filter((each) => overlaps(each, before)).map(hitKey));
  const fresh = hits.filter((each) => overlaps(each, period) && !old.has(hitKey(each)));
  return new Set(fresh.map(({ member }) => sufferer(member))).size;
}

const overlaps = ({ begin, end }: Hit, { from, to }: Period) => begin < to && end >= from;
