/** What `doctor` says of the symlink guard. */
import type { DoctorRow } from '../../cli/shared/ways-in.ts';
import { printCause } from '../../base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { guardObstacle } from '../io/guard/guard.ts';
import { guardView, stateText } from './guard-status.ts';

export function doctorRow(policy: Policy | undefined, paths: Paths): DoctorRow {
  const obstacle = guardObstacle(paths);
  const label = 'Symlinks';
  if (process.geteuid?.() !== 0 || (policy?.symlinks === undefined && obstacle !== undefined))
    return {
      label,
      text: obstacle === undefined ? available : `no guard: ${printCause(obstacle)}`,
    };
  const view = guardView(policy?.symlinks, paths);
  if (view.state === 'off' && view.wanted === 'off') return { label, text: available };
  const note = view.problem === undefined ? '' : `; ${view.problem}`;
  return { label, text: `guard ${stateText(view)}${note}` };
}

const available =
  'the kernel can refuse links to what their owners do not own, if the policy has <symlinks>; see docs/symlinks.md';
