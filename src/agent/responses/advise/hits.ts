/** The limits that were hit in a period, for advice. */
import type { LimitKey } from '../../../limits/limit.ts';
import { limitAttribute } from '../../../limits/limits.ts';
import type { HitValues } from '../../../store/events/hit-values.ts';
import { ok } from '../../../../packages/base/result.ts';
import { quantityKinds } from '../../../../packages/base/quantity.ts';
import type { Hit } from '../../../usage/advise.ts';
import type { Member } from '../../../usage/member.ts';
import { fromStore, type HttpResult } from '../../api/http-result.ts';
import type { RequestContext } from '../../api/request-context.ts';
import type { FaultCounts } from '../../sampling/latest-sample.ts';
import type { MemberEntry } from '../../sampling/member-index.ts';
import type { PeriodPart } from '../members.ts';

export function readHits(
  { agent }: RequestContext,
  parts: readonly PeriodPart[],
): HttpResult<Hits> {
  const faults = new Map<Member, FaultCounts>();
  const values = new Map<Member, Readonly<Partial<Record<LimitKey, readonly string[]>>>>();
  for (const part of parts) {
    const counts = fromStore(agent.events.faultCounts(part));
    if (!counts.ok) return counts;
    const hit = fromStore(agent.events.hitValues(part));
    if (!hit.ok) return hit;
    for (const [member, row] of counts.value) faults.set(member, row);
    for (const [member, row] of hit.value) values.set(member, row);
  }
  return ok(new Hits(faults, values));
}

/** Which limits were hit in the period, how often and at which value. */
export class Hits {
  readonly #faults: ReadonlyMap<Member, FaultCounts>;
  readonly #values: HitValues;

  constructor(faults: ReadonlyMap<Member, FaultCounts>, values: HitValues) {
    this.#faults = faults;
    this.#values = values;
  }

  /**
   * Returns how often a limit was hit, and at which value: the current limit, if none was recorded.
   */
  of({ who, limits }: MemberEntry, limit: LimitKey): Hit | undefined {
    const count = this.#faults.get(who.member)?.[limit] ?? 0;
    if (count === 0) return undefined;
    const { kind } = limitAttribute(limit);
    const known = (this.#values.get(who.member)?.[limit] ?? []).flatMap((text) => {
      const parsed = quantityKinds[kind].parse(text);
      return parsed.ok ? [parsed.value] : [];
    });
    return { count, at: known.length === 0 ? limits[limit] : Math.max(...known) };
  }
}
