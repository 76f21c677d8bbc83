/** Undoing the change of boot options: for `setup boot undo`, `setup undo` and `release --all`. */
import { existsSync } from 'node:fs';
import type { UndoStep } from '../../../apply/undo-step.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { printError } from '../../../cli/shared/output.ts';
import { thisHost, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { bootRecordFile, lockBoot, readBootRecord } from '../../io/boot/boot-record-file.ts';
import { undoAll } from '../../io/boot/undo-boot.ts';

/** Returns the step that undoes it; none if nothing was changed. */
export const undoBootOptions = (paths: Paths, host: BootHost = thisHost): readonly UndoStep[] =>
  existsSync(bootRecordFile(paths))
    ? [{ what: 'boot options, from the next reboot', run: async () => undoneNow(host, paths) }]
    : [];

function undoneNow(host: BootHost, paths: Paths): readonly Problem[] {
  const undone = undoNow(host, paths);
  if (!undone.ok) return [undone.error];
  for (const each of undone.value) printError(each);
  return [];
}

/** Undoes what the record has; returns remarks. */
export function undoNow(host: BootHost, paths: Paths): Result<readonly string[], Problem> {
  const lock = lockBoot(paths);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  const record = readBootRecord(paths);
  if (!record.ok) return record;
  return record.value === undefined ? ok([]) : undoAll(host, paths, record.value);
}

export const interruptedNote = 'an earlier change was interrupted, and has been undone first';

export const failedUndo = (problem: Problem): string =>
  `an earlier change was interrupted and cannot be undone: ${formatProblem(problem)}`;
