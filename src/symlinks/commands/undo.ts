/** The symlink guard, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { symlinkGuard } from '../io/guard/guard.ts';

export const undoGuard = (paths: Paths): readonly UndoStep[] =>
  !symlinkGuard(paths).areInForce()
    ? []
    : [{ what: 'the symlink guard', command: ['symlinks', 'guard', 'disable'] }];
