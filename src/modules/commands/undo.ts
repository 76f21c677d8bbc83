/** The gate for kernel modules, and modules that were denied, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { thisHost, type BootHost } from '../../host/boot/boot-host.ts';
import { deniedModules, denyModules, hasKilledDenial, undoKilledDenial } from '../io/deny/deny.ts';
import { hasBootFiles } from '../io/gate/boot-files.ts';
import { gateGuard } from '../io/gate/kernel-gate.ts';

export const undoModules = (paths: Paths, host: BootHost = thisHost): readonly UndoStep[] => [
  ...undoGate(paths),
  ...undoDenials(paths, host),
];

const undoGate = (paths: Paths): readonly UndoStep[] =>
  !gateGuard(paths).areInForce() && !(paths.instance === 'bulkhead' && hasBootFiles(paths))
    ? []
    : [{ what: 'the gate for kernel modules', command: ['modules', 'gate', 'disable'] }];

/** Returns the step; the file belongs to the host, so a second instance leaves it unchanged. */
function undoDenials({ instance }: Paths, host: BootHost): readonly UndoStep[] {
  if (instance !== 'bulkhead') return [];
  const what = 'the denied kernel modules';
  if (hasKilledDenial(host)) return [{ what, run: () => Promise.resolve(allowAll(host)) }];
  const names = deniedModules(host);
  // In a damaged file, only a person can tell which lines are ours.
  if (!names.ok) return [{ what, run: () => Promise.resolve([names.error]) }];
  if (names.value.length === 0) return [];
  return [{ what, command: ['modules', 'allow', ...names.value] }];
}

/** Undoes first what a killed run has begun: only then is it known which modules are denied. */
function allowAll(host: BootHost): readonly Problem[] {
  const undone = undoKilledDenial(host);
  if (!undone.ok) return [undone.error];
  const names = deniedModules(host);
  if (!names.ok) return [names.error];
  if (names.value.length === 0) return [];
  const allowed = denyModules(names.value, { undo: true }, host);
  return allowed.ok ? [] : [allowed.error];
}
