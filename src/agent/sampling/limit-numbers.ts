/** Limits as numbers in the units of what is measured. */
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { unlimited } from '../../base/quantity.ts';
import type { LimitNumbers } from '../api/api.ts';

/** Limits of a policy as numbers; those that are unlimited are left out. */
export function limitNumbers(values: LimitValues): LimitNumbers {
  const numbers: Partial<Record<LimitKey, number>> = {};
  for (const [key, value] of Object.entries(values) as [LimitKey, LimitValues[LimitKey]][]) {
    if (value !== undefined && value !== unlimited) numbers[key] = value;
  }
  return numbers;
}
