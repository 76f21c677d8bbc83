/** Reloads services of the host that read a change of Bulkhead only then. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { isActive } from '../../host/systemd/own-units.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';

/** Reloads those units that run; stops at the first one that fails. */
export async function reloadUnits(units: readonly string[]): Promise<Result<void, Problem>> {
  for (const unit of units) {
    if (!(await isActive(unit))) continue;
    const reloaded = await systemctl('reload', unit);
    if (!reloaded.ok) return reloaded;
  }
  return ok(undefined);
}
