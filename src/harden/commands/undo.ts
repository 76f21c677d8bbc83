/** Settings of the kernel, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { readOurs, readHardenRecord } from '../io/apply-plan.ts';
import { hardenPathsOf } from '../io/places.ts';

/** Returns the step that undoes it. A record that cannot be read is for the command to explain. */
export function undoHardening(paths: Paths): readonly UndoStep[] {
  const places = hardenPathsOf(paths);
  const record = readHardenRecord(places);
  const ours = readOurs(places);
  const isOff = record.ok && record.value.length === 0 && ours.ok && ours.value === undefined;
  return isOff ? [] : [{ what: 'hardened settings', command: ['harden', 'disable', '--yes'] }];
}
