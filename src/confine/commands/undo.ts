/** Sandboxes of daemons, for `release --all`. */
import { existsSync } from 'node:fs';
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { dropInOf, installedServices, confinePathsOf } from '../io/places.ts';

export function undoConfine(paths: Paths): readonly UndoStep[] {
  const places = confinePathsOf(paths);
  return installedServices(places)
    .filter((service) => existsSync(dropInOf(places, service)))
    .map(({ name }) => ({
      what: `the sandbox of ${name}`,
      command: ['confine', 'disable', name, '--yes'],
    }));
}
