/**
 * Limits whose metric is known for a part of the measured time only: database servers may be asked since yesterday, on a
 * host that is measured for weeks.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import type { ReplayRule } from '../../usage/simulate.ts';
import type { Query } from '../api/client.ts';
import type { SeriesColumnsResponse } from '../api/report-api.ts';
import type { PartlyMeasured } from './simulate-response.ts';

type AskAgent = <Response>(path: string, query: Query) => Promise<Result<Response, Problem>>;

interface Asked {
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

/** Less of the measured time is worth a word. */
const enoughPart = 0.95;

export async function partlyMeasured(
  ask: AskAgent,
  asked: Asked,
  limits: ReadonlyMap<LimitKey, readonly ReplayRule[] | undefined>,
  measuredSeconds: number,
): Promise<Result<readonly PartlyMeasured[], Problem>> {
  const found: PartlyMeasured[] = [];
  for (const [limit, rules = []] of limits) {
    const metric = rules.flatMap((rule) => [rule.metric, rule.plus ?? []].flat()).find(isPartKey);
    const isAdded = rules.some(({ plus }) => plus === metric);
    if (metric === undefined) continue;
    const answer = await ask<SeriesColumnsResponse>('/v1/series', {
      ...asked,
      metric,
      tenant: '*',
    });
    if (!answer.ok) return answer;
    const averages = answer.value.metrics[metric]?.average ?? [];
    const known = answer.value.seconds
      .filter((_, part) => (averages[part] ?? null) !== null)
      .reduce((sum, each) => sum + each, 0);
    // What was never known does not count, and hides nothing.
    const isMissed = known < measuredSeconds * enoughPart && (known > 0 || !isAdded);
    if (isMissed) found.push({ limit, measuredSeconds: known });
  }
  return ok(found);
}
