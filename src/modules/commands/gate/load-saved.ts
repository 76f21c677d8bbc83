/**
 * `bulkhead modules gate sync --saved`: puts the mode from before the boot back in force, with the
 * list that was made then. A kernel without a list gets "watch": a host that cannot load its network
 * driver helps nobody.
 */
import { ok } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import type { GateLists } from '../../io/gate/gate-lists.ts';
import { gateLock, runningList, switchGate } from '../../io/gate/kernel-gate.ts';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { print, printError, failWith } from '../../../cli/shared/output.ts';

export function loadSaved(paths: Paths, lists: GateLists): ExitCode {
  const done = underLock(gateLock(paths), () => ok(loadLocked(paths, lists)));
  if (done.ok) return done.value;
  return failWith(done.error);
}

function loadLocked(paths: Paths, lists: GateLists): ExitCode {
  const mode = lists.mode();
  if (mode === 'off') {
    print('The gate was off');
    return exitCodes.done;
  }
  const found = runningList(lists);
  if (!found.ok) printError(found.error);
  const list = found.ok
    ? found.value
    : { release: runningRelease(hostRoots) ?? 'unknown', modules: [] };
  const now = found.ok ? mode : 'watch';
  const switched = switchGate(paths, now, list);
  if (!switched.ok) return failWith(switched.error);
  print(`The gate is "${now}" for Linux ${list.release}`);
  return now === mode ? exitCodes.done : exitCodes.failed;
}
