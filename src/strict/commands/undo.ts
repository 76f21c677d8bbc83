/**
 * Undoes strict placement, for `release --all`: the policy keeps it, and `apply` loads it again.
 */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { strictState, unloadStrict } from '../io/strict.ts';

export const undoStrict = (paths: Paths): readonly UndoStep[] =>
  strictState(paths) === undefined
    ? []
    : [{ what: 'strict placement', run: () => unloadStrict(paths) }];
