/** The gate for kernel modules, and modules that were denied, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { deniedModules, thisHost } from '../io/deny/deny.ts';
import { hasBootFiles } from '../io/gate/boot-files.ts';
import { gateMode } from '../io/gate/kernel-gate.ts';

export const undoModules = (paths: Paths): readonly UndoStep[] => [
  ...undoGate(paths),
  ...undoDenials(paths),
];

const undoGate = (paths: Paths): readonly UndoStep[] =>
  gateMode(paths) === 'off' && !(paths.instance === 'bulkhead' && hasBootFiles(paths))
    ? []
    : [{ what: 'the gate for kernel modules', command: ['modules', 'gate', 'disable'] }];

/** Returns the step; the file belongs to the host, so a second instance leaves it unchanged. */
function undoDenials({ instance }: Paths): readonly UndoStep[] {
  const names = instance === 'bulkhead' ? deniedModules(thisHost) : [];
  return names.length === 0
    ? []
    : [{ what: 'the denied kernel modules', command: ['modules', 'allow', ...names] }];
}
