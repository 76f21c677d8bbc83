/** The gate for kernel modules, and modules that were denied, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import {
  deniedModules,
  denyModules,
  hasKilledDenial,
  thisHost,
  undoKilledDenial,
} from '../io/deny/deny.ts';
import { hasBootFiles } from '../io/gate/boot-files.ts';
import { gateGuard } from '../io/gate/kernel-gate.ts';

export const undoModules = (paths: Paths): readonly UndoStep[] => [
  ...undoGate(paths),
  ...undoDenials(paths),
];

const undoGate = (paths: Paths): readonly UndoStep[] =>
  !gateGuard(paths).areInForce() && !(paths.instance === 'bulkhead' && hasBootFiles(paths))
    ? []
    : [{ what: 'the gate for kernel modules', command: ['modules', 'gate', 'disable'] }];

/** Returns the step; the file belongs to the host, so a second instance leaves it unchanged. */
function undoDenials({ instance }: Paths): readonly UndoStep[] {
  if (instance !== 'bulkhead') return [];
  const what = 'the denied kernel modules';
  if (hasKilledDenial(thisHost)) return [{ what, run: allowAll }];
  const names = deniedModules(thisHost);
  return names.length === 0 ? [] : [{ what, command: ['modules', 'allow', ...names] }];
}

/** Undoes first what a killed run has begun: only then is it known which modules are denied. */
function allowAll(): Promise<readonly Problem[]> {
  const undone = undoKilledDenial(thisHost);
  if (!undone.ok) return Promise.resolve([undone.error]);
  const names = deniedModules(thisHost);
  const allowed = names.length === 0 ? undone : denyModules(names, { undo: true }, thisHost);
  return Promise.resolve(allowed.ok ? [] : [allowed.error]);
}
