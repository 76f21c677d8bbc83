/** What `doctor` says of strict placement. */
import { printCause } from '../../base/problem.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { WayContext } from '../../host/ways/ways-in.ts';
import { strictObstacle, strictState } from '../io/strict.ts';

export function strictDoctor({ policy, paths, driver }: WayContext): Promise<DoctorReport> {
  const said = (text: string) => Promise.resolve({ label: 'Strict', text, remarks: [] });
  const obstacle = strictObstacle(paths);
  if (driver === 'cgroup1') return said('placement cannot be strict: that needs cgroup v2');
  if (obstacle !== undefined) return said(`placement cannot be strict: ${printCause(obstacle)}`);
  const wanted = policy?.strict?.placement;
  const now = strictState(paths)?.placement ?? undefined;
  if (wanted !== now)
    return said(`placement is "${now ?? 'off'}", not as the policy says; run bulkhead apply`);
  if (now === undefined)
    return said(
      'the kernel can refuse tenants outside of their cgroups, if the policy has <placement>; see docs/placement.md',
    );
  return said(`placement is ${now === 'on' ? 'on' : 'watched'}; see bulkhead placement status`);
}
