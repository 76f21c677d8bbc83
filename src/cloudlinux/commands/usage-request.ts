/** The agent's answers to commands about periods. */
import type { UsageResponse } from '../../agent/api/usage-api.ts';
import type { Period } from '../../cli/shared/period.ts';
import type { AgentRequest } from '../../cli/shared/agent-request.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { parseLveLength, periodSlices, type PeriodSlice } from './lve-period.ts';

/** The maximum number of slices of a period, a week by minutes; each is one request to the agent. */
const slicesMax = 10_080;

export function splitPeriod(period: Period, unit: string): Result<readonly PeriodSlice[], Problem> {
  const length = parseLveLength(unit);
  if (!length.ok) return length;
  if ((period.to - period.from) / length.value > slicesMax) {
    return failed({
      action: 'split the period',
      reason: `it would have more than ${slicesMax} parts`,
      hint: 'use a longer --time-unit',
    });
  }
  return ok(periodSlices(period, length.value));
}

/** Asks for the use of all tenants in a period, or of one, by account or uid. */
export const askUsage = (
  ask: AgentRequest,
  { from, to, part }: PeriodSlice,
  tenant: string | undefined,
): Promise<Result<UsageResponse, Problem>> =>
  ask<UsageResponse>('/v1/usage', { from, to, tenant, part });
