/** Bulkhead's rights in database servers, for `release --all`. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { readServers } from '../io/record-file.ts';

export function undoDatabase(paths: Paths): readonly UndoStep[] {
  const servers = readServers(paths);
  // If the record cannot be read, the command reports why.
  if (servers.ok && servers.value.length === 0) return [];
  return [{ what: 'the rights in database servers', command: ['db', 'disable'] }];
}
