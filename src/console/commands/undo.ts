/** The console, for `release --all`: nothing listens any more. The units themselves go with all others. */
import { existsSync } from 'node:fs';
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { disableConsole, dropInPath } from '../io/console-units.ts';

export const undoConsole = (paths: Paths): readonly UndoStep[] =>
  existsSync(dropInPath(paths))
    ? [
        {
          what: "the console's addresses",
          run: async () => {
            const done = await disableConsole(paths);
            return done.ok ? [] : [done.error];
          },
        },
      ]
    : [];
