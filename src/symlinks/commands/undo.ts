/** The symlink guard, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { inForce } from '../io/guard/guard.ts';

export const undoGuard = (paths: Paths): readonly UndoStep[] =>
  inForce(paths) === undefined
    ? []
    : [{ what: 'the symlink guard', command: ['symlinks', 'guard', 'disable'] }];
