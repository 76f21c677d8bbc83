/**
 * A fault is a limit that was hit: who, which, how often in one tick.
 *
 * Kernel counters say so where there are any; where there are none it is inferred from a use that
 * stood at its limit, and says so.
 */
import type { LimitKey, Severity } from '../limits/limit.ts';
import type { Member } from './member.ts';

export type { Severity };

export interface Fault {
  readonly member: Member;
  readonly limit: LimitKey;
  readonly severity: Severity;
  readonly count: number;
  readonly inferred: boolean;
}
