/** The record of the fleet, for `release --all`: no release of it is in force any more. */
import type { UndoStep } from '../../../apply/undo-step.ts';
import { fleetDirectoryOf, type Paths } from '../../../host/paths.ts';
import { HostStore } from '../../io/host-store.ts';

export function undoFleet(paths: Paths): readonly UndoStep[] {
  const store = new HostStore(fleetDirectoryOf(paths));
  if (!store.exists()) return [];
  return [
    {
      what: 'the membership in a fleet',
      run: () => {
        const removed = store.remove();
        return Promise.resolve(removed.ok ? [] : [removed.error]);
      },
    },
  ];
}
