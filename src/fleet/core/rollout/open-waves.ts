/** Which waves of a published release are open. */
import { isAbout, type RolloutPlan } from './plan.ts';
import type { RolloutRecord } from './record.ts';

/** `wave` is from 1 on. */
export function isWaveOpen(
  plan: RolloutPlan,
  record: RolloutRecord | undefined,
  wave: number,
): boolean {
  if (record === undefined || !isAbout(plan, record)) return false;
  return record.verdict === 'keep' || (record.verdict === 'go' && wave <= record.wave);
}
