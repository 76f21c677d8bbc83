/** The memory that tenants have used lately: whether a policy squeezes them must not depend on the moment it comes in. */
import { formatProblem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { HistoryView } from '../../store/history/history.ts';
import { kindOf, uidOf, type Member } from '../../usage/member.ts';
import type { Tick } from '../../usage/tick.ts';

const dayMilliseconds = 86_400_000;

/**
 * Returns the highest use of each tenant in the last day and now, in bytes by uid. It fails with a sentence while nobody
 * has measured it: then no tenant would seem to use anything.
 */
export async function recentMemory(
  history: Pick<HistoryView, 'maxima'>,
  tick: Tick,
  now = Date.now(),
): Promise<Result<ReadonlyMap<number, number>, string>> {
  const metrics = ['memory'] as const;
  const past = await history.maxima({ from: now - dayMilliseconds, to: now, metrics });
  const isMeasured = tick.seconds > 0 || (past.ok && past.value.measuredSeconds > 0);
  if (!isMeasured) {
    const why = past.ok ? '' : `: ${formatProblem(past.error)}`;
    return fail(`nobody has measured yet how much memory tenants use${why}`);
  }
  const used = new Map<number, number>();
  const add = (member: Member, bytes = 0) => {
    const uid = uidOf(member);
    if (kindOf(member) === 'tenant') used.set(uid, Math.max(bytes, used.get(uid) ?? 0));
  };
  for (const [member, { memory }] of past.ok ? past.value.rows : []) add(member, memory);
  for (const [index, member] of tick.members.entries()) add(member, tick.columns.memory[index]);
  return ok(used);
}
