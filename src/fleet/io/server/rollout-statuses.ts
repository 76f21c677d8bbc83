/** The statuses of hosts, as far as a rollout depends on them. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { RolloutStatus } from '../../core/rollout/centre.ts';
import { parseStatus } from '../../core/told/status.ts';
import type { CentreStore } from './centre-store.ts';

/** Returns the last status of each host that told one. */
export function rolloutStatuses(
  store: CentreStore,
): Result<ReadonlyMap<string, RolloutStatus>, Problem> {
  const hosts = store.hosts();
  if (!hosts.ok) return hosts;
  const statuses = new Map<string, RolloutStatus>();
  for (const { host, status, receivedAt } of hosts.value) {
    const told = parseStatus(status ?? '');
    if (!told.ok) continue;
    const { state, generation, newest, root } = told.value;
    statuses.set(host, { state, generation, newest, root, receivedAt });
  }
  return ok(statuses);
}
