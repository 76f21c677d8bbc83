/** Makes the controller of a centre: it judges rollouts by the statuses that the centre has collected. */
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { readControllerKey } from '../rollout/controller-key.ts';
import { Leader, type LeaderParts } from '../rollout/leader.ts';
import type { CentreStore } from './centre-store.ts';
import { rolloutStatuses } from './rollout-statuses.ts';

interface LeaderOfCentre extends Omit<LeaderParts, 'key' | 'statuses'> {
  readonly store: CentreStore;
}

export function makeLeader({ store, ...parts }: LeaderOfCentre): Result<Leader, Problem> {
  const key = readControllerKey(parts.directory);
  if (!key.ok) return key;
  return ok(new Leader({ ...parts, key: key.value, statuses: () => rolloutStatuses(store) }));
}
