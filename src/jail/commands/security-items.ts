/**
 * The `doctor --security` item for jails: whether the kernel isolates them and the host from each
 * other.
 */
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { isolationOf, openWithoutPrograms, restrictedUids } from '../io/programs.ts';

/** Returns nothing if no tenant has a jail. */
export function jailSecurity(paths: Paths, policy: Policy | undefined): readonly SecurityItem[] {
  const uids = policy === undefined ? [] : restrictedUids(policy);
  if (uids.length === 0) return [];
  const { level, reason } = isolationOf(uids, paths);
  const verdict =
    level === 'full' ? 'good' : lsmProblem(paths) === undefined ? 'lacking' : 'unavailable';
  return [
    {
      item: 'jail-isolation',
      key: 'jails kept apart by the kernel',
      verdict,
      now: level,
      wanted: 'full',
      why: openWithoutPrograms,
      breaks: undefined,
      since: 'Linux 6.1',
      remark: reason,
    },
  ];
}
