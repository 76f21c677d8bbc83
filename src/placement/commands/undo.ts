/**
 * Undoes strict placement, for `release --all`: the policy keeps it, and `apply` loads it again.
 */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { placementGuard } from '../io/strict.ts';

function unload(paths: Paths): Promise<readonly Problem[]> {
  const done = placementGuard(paths).unload();
  return Promise.resolve(done.ok ? [] : [done.error]);
}

export const undoStrict = (paths: Paths): readonly UndoStep[] =>
  !placementGuard(paths).areInForce()
    ? []
    : [
        {
          what: 'strict placement',
          // It would refuse what other steps start for a tenant outside its cgroup, such as PHP workers.
          isFirst: true,
          run: () => unload(paths),
        },
      ];
