/** Reports strict placement in `doctor`. */
import { listSome } from '../../../packages/base/list.ts';
import { formatCause, formatProblem } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { docPage } from '../../sys/package-files.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { policyNotEnforced } from '../io/rule-of-policy.ts';
import { strictState } from '../io/strict.ts';

export function strictDoctor({ policy, paths, driver }: EntryPathContext): Promise<DoctorReport> {
  const said = (text: string) => Promise.resolve({ label: 'Strict', text, remarks: [] });
  const blocker = lsmProblem(paths);
  if (driver === 'cgroup1') return said('placement cannot be strict: that needs cgroup v2');
  if (blocker !== undefined) return said(`placement cannot be strict: ${formatCause(blocker)}`);
  const wanted = policy?.strict?.placement;
  const now = strictState(paths)?.placement ?? undefined;
  if (wanted !== now)
    return said(`placement is "${now ?? 'off'}", not as the policy says; run bulkhead apply`);
  if (now === undefined)
    return said(
      `the kernel can refuse tenants outside their cgroups, if the policy has <placement>; see ${docPage('placement')}`,
    );
  const missing = policy === undefined ? ok([]) : policyNotEnforced(policy, paths);
  if (!missing.ok)
    return said(`placement is ${now}; for whom is unknown: ${formatProblem(missing.error)}`);
  if (missing.value.length > 0)
    return said(
      `placement is ${now}, but uid ${listSome(missing.value.map(String))} is not enforced yet; run bulkhead apply`,
    );
  return said(`placement is ${now === 'on' ? 'on' : 'watched'}; see bulkhead placement status`);
}
