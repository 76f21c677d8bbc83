/**
 * A fault is a hit of a limit: by whom, which limit, how often in one tick.
 *
 * Kernel counters show it if there are any; otherwise it is inferred from usage at the limit, and
 * marked as inferred.
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
