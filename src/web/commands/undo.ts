/** What web servers and PHP-FPM have of it, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { isEnabled } from '../io/entries/enabled.ts';
import { releaseObstacle } from '../io/fpm/release-obstacle.ts';
import { findWebPrograms } from '../io/servers.ts';

export function undoWeb(paths: Paths): readonly UndoStep[] {
  const hasServices = releaseObstacle(paths) !== undefined;
  return [
    ...(hasServices
      ? [{ what: "tenants' PHP-FPM services", command: ['web', 'fpm', 'disable', '--all'] }]
      : []),
    ...(isEnabled(paths, findWebPrograms())
      ? [{ what: 'entries at the web servers', command: ['web', 'entries', 'disable'] }]
      : []),
  ];
}
