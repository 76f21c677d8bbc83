/** The use of the tenants of this host over a period, for its fleet. */
import type { HistoryView } from '../../store/history/history.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { MemberIndex } from '../sampling/member-index.ts';
import type { TenantsUse, TenantUse, TenantUseQuery } from './fleet-agent.ts';

export async function readTenantUse(
  memberIndex: MemberIndex,
  history: Pick<HistoryView, 'usage'>,
  { from, to, metrics, tenant }: TenantUseQuery,
): Promise<Result<TenantsUse, Problem>> {
  const named = tenant === null ? undefined : memberIndex.find(tenant);
  const entries = tenant === null ? [...memberIndex.entries.values()] : named ? [named] : [];
  const tenants = entries.filter(({ who }) => who.kind === 'tenant');
  const members = tenants.map(({ who }) => who.member);
  if (members.length === 0) return ok({ measuredSeconds: 0, tenants: 0, rows: [] });
  const used = await history.usage({ from, to, metrics, ...(tenant !== null && { members }) });
  if (!used.ok) return used;
  const rows = tenants.flatMap(({ who, limits }): readonly TenantUse[] => {
    const use = used.value.rows.get(who.member);
    return use === undefined ? [] : [{ who, limits, use }];
  });
  return ok({
    measuredSeconds: used.value.measuredSeconds,
    tenants: tenants.length,
    rows,
  });
}
