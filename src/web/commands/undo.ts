/** The steps with which `release --all` undoes changes at web servers and PHP-FPM. */
import { existsSync } from 'node:fs';
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { isEnabled } from '../io/entries/enabled.ts';
import { readEntriesRecord } from '../io/entries/record.ts';
import { fpmReleaseBlocker } from '../io/fpm/release-blocker.ts';
import { hasKilledEntries } from '../io/entries/server-entries.ts';
import { findWebPrograms } from '../io/find-programs.ts';
import { suexecFiles } from '../io/suexec/suexec-state.ts';

export function undoWeb(paths: Paths): readonly UndoStep[] {
  // Files of web servers belong to the host, so a second instance uses its own record.
  const enabled =
    paths.instance === 'bulkhead'
      ? isEnabled(paths, findWebPrograms())
      : readEntriesRecord(paths) !== undefined;
  const hasServices = fpmReleaseBlocker(paths) !== undefined;
  return [
    ...(hasServices
      ? [{ what: "tenants' PHP-FPM services", command: ['web', 'fpm', 'disable', '--all'] }]
      : []),
    // Entries that a killed run has begun to enable or disable are undone by the same command.
    ...(enabled || hasKilledEntries(paths)
      ? [{ what: 'entries at the web servers', command: ['web', 'entries', 'disable'] }]
      : []),
    ...(existsSync(suexecFiles(paths).directory)
      ? [{ what: 'the suexec that Apache calls', command: ['web', 'suexec', 'disable'] }]
      : []),
  ];
}
