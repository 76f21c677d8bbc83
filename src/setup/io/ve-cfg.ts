/** The limits of CloudLinux' ve.cfg, as the policy has them. */
import { formatProblem, type Cause } from '../../../packages/base/problem.ts';
import { formatQuantity } from '../../../packages/base/quantity.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { Assignment } from '../../policy/assignment.ts';
import { formatDiagnostic } from '../../policy/diagnostic.ts';
import type { LimitBlock, TenantElement } from '../../policy/document.ts';
import type { AddedTenant, ImportedLimits } from '../../policy/elements/add-limits.ts';
import { veCfgPath } from '../core/look.ts';

/** Reads them, if only root could have written the file, and nothing in it is wrong. */
export function readVeCfg(reader: PolicyReader, paths: Paths): Result<ImportedLimits, Cause> {
  const file = `${paths.etc}${veCfgPath.slice('/etc'.length)}`;
  const { policy, document, diagnostics, problem } = reader.load(file, paths);
  if (problem !== undefined) return fail({ reason: formatProblem(problem) });
  if (document?.root.name !== 'lveconfig' || policy === undefined) {
    const error = diagnostics.find(({ severity }) => severity === 'error');
    const reason = error === undefined ? `${file} is not a ve.cfg` : formatDiagnostic(error);
    return fail({ reason, hint: 'correct it, or answer "starter" or "medium"' });
  }
  const users = new Map(policy.tenants.map(({ uid, account }) => [uid, account?.user]));
  return ok({
    from: file,
    remarks: [],
    defaults: document.defaults === undefined ? [] : assignmentsOf(document.defaults),
    packages: document.packages,
    tenants: document.tenants.flatMap((each) => named(each, users) ?? []),
  });
}

const assignmentsOf = ({ values }: LimitBlock): readonly Assignment[] =>
  [...values].map(([key, { value }]) => {
    return { kind: 'limit', key, value: formatQuantity(limitAttribute(key).kind, value) };
  });

/** Returns the tenant under the name of its account; undefined for one without limits of its own. */
function named(
  tenant: TenantElement,
  users: ReadonlyMap<number, string | undefined>,
): AddedTenant | undefined {
  const { value } = tenant.name;
  if (tenant.values.size === 0 || value.kind !== 'uid') return undefined;
  const user = users.get(value.uid);
  const name = user === undefined ? value : ({ kind: 'user', user } as const);
  return { ...tenant, uid: value.uid, name: { ...tenant.name, value: name } };
}
