/** Limits as numbers in the units of the metrics. */
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitNumbers } from '../api/api.ts';

/** Returns the limits of a policy as numbers, without unlimited ones. */
export function limitNumbers(values: LimitValues): LimitNumbers {
  const numbers: Partial<Record<LimitKey, number>> = {};
  for (const [key, value] of Object.entries(values) as [LimitKey, LimitValues[LimitKey]][]) {
    if (value !== undefined && value !== unlimited) numbers[key] = value;
  }
  return numbers;
}
