/** The answer of a what-if question about limits: `bulkhead simulate`, and `POST /v1/policy/simulate`. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';
import type { Committed, LimitEffect } from '../../usage/simulate.ts';
import type { Who } from '../api/api.ts';

/** Recorded use, replayed against the limits of another policy. */
export interface SimulateResponse {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** How much of the period was measured. */
  readonly measuredSeconds: number;
  /** The number of members that used anything or hit a limit. */
  readonly tenants: number;
  /** The number of members of the other policy without a history. */
  readonly withoutHistory: number;
  /** Limits that differ, and whose metric is known for less of the period; absent if there are none. */
  readonly partly?: readonly PartlyMeasured[];
  /** Limits that differ, where they would have had an effect or where that is unknown. */
  readonly limits: readonly SimulatedLimit[];
  /** The sums of limits next to the host; empty for a single tenant. */
  readonly host: readonly SimulatedHost[];
  /** The reasons why some limits could not be replayed; their effect is `unknown`. */
  readonly problems: readonly Problem[];
}

/** A limit whose metric is known for a part of the measured time only. */
export interface PartlyMeasured {
  readonly limit: LimitKey;
  /** How much of the period is known of it. */
  readonly measuredSeconds: number;
}

/** A limit of the other policy, and what it would have done. */
export interface SimulatedLimit {
  readonly member: Member;
  /** The name of the member. */
  readonly name: string;
  /** Whether it is a tenant, a site or a reseller. */
  readonly kind: Who['kind'];
  readonly limit: LimitKey;
  /** The limit in force now. */
  readonly before: string;
  /** The limit of the other policy. */
  readonly after: string;
  /** The faults of the limit in force, in the period. If there are any, more was wanted than was recorded. */
  readonly happened: number;
  /**
   * The effect of use above the limit. `less, unknown`: a higher limit; nobody knows whether it suffices;
   * `unknown`: the history does not show it.
   */
  readonly effect: LimitEffect | 'less, unknown' | 'unknown';
  /** The least time above the limit; absent if unknown. */
  readonly secondsMin?: number;
  /** The most time above the limit; absent if unknown, as it is if the limit in force has held back use. */
  readonly secondsMax?: number;
  /** How often the limit was reached, counting hours that follow each other once; absent if unknown. */
  readonly stretches?: number;
  /** How much of the period was measured for this; absent if unknown. */
  readonly measuredSeconds?: number;
}

/** The sums of one limit over all tenants. */
export interface SimulatedHost {
  readonly limit: LimitKey;
  /** The amount that the host has: cores, or bytes. */
  readonly available: number;
  /** The sum now. */
  readonly before: Committed;
  /** The sum with the other policy. */
  readonly after: Committed;
}
