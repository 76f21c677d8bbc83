/** The gate's part in `release --all`. */
import type { UndoStep } from '../../../apply/undo-step.ts';
import type { Paths } from '../../../host/paths.ts';
import { hasBootFiles } from '../../io/gate/boot-files.ts';
import { gateMode } from '../../io/gate/kernel-gate.ts';

export const undoGate = (paths: Paths): readonly UndoStep[] =>
  gateMode(paths) === 'off' && !(paths.instance === 'bulkhead' && hasBootFiles(paths))
    ? []
    : [{ what: 'the gate for kernel modules', command: ['modules', 'gate', 'disable'] }];
