/** The stops of tenants, for `release --all`: what was frozen goes on, and their accounts can log in again. */
import type { UndoStep } from '../../apply/undo-step.ts';
import { listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Paths } from '../../host/paths.ts';
import { readStops } from '../../host/stops.ts';
import { stopPolicy } from '../io/stop-policy.ts';

export function undoStops(paths: Paths): readonly UndoStep[] {
  const stopped = [...readStops(paths).values()];
  if (stopped.length === 0) return [];
  const names = stopped.map(({ uid, user }) => (user === '' ? `uid ${uid}` : printable(user)));
  const what = `the stop of ${listSome(names)}`;
  // A service that is frozen does not end when PHP is handed back.
  return [{ what, isFirst: true, run: () => stopPolicy.release(paths) }];
}
