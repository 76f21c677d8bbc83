/** Undoes the login step, for `release --all`. PAM belongs to the host, so a second instance leaves it unchanged. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { planDisable } from '../io/plan-disable.ts';

export function undoLogin({ instance }: Paths): readonly UndoStep[] {
  if (instance !== 'bulkhead') return [];
  const planned = planDisable();
  const isOff =
    planned.ok &&
    [...planned.value.after].every(([path, text]) => planned.value.before.get(path) === text);
  return isOff ? [] : [{ what: 'the login step of PAM', command: ['pam', 'disable'] }];
}
