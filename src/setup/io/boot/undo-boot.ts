/**
 * Undoes a change of boot options, also one that was interrupted at any instant.
 *
 * A file that differs from before only by our words gets its old bytes back. From one that somebody has edited since,
 * only our words are taken out. It can be repeated: the record is removed last.
 */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { at, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { putHostFile, readHostFile, sameBytes } from '../../../sys/files/host-file.ts';
import type { BootRecord } from '../../core/boot/record.ts';
import { removeBootRecord, writeBootRecord } from './boot-record-file.ts';
import { loaderNamed } from './loaders/find-loader.ts';
import { contentBefore } from './stored-content.ts';

/** Returns the files in which somebody had changed something, which stays. */
export function undoBoot(
  host: BootHost,
  paths: Pick<Paths, 'state'>,
  record: BootRecord,
): Result<readonly string[], Problem> {
  // If this is interrupted, the next run finishes it.
  const begun = record.state === 'started' ? ok(undefined) : markStarted(paths, record);
  if (!begun.ok) return begun;
  const first = restoreFiles(host, record);
  if (!first.ok) return first;
  const ran = runAll(host, undoCommands(host, record));
  if (!ran.ok) return ran;
  // The program of the boot loader has written some of them again.
  const again = restoreFiles(host, record);
  if (!again.ok) return again;
  const removed = removeBootRecord(paths);
  return removed.ok ? ok(first.value) : removed;
}

const markStarted = (paths: Pick<Paths, 'state'>, record: BootRecord) =>
  writeBootRecord(paths, { ...record, state: 'started' });

export const undoCommands = (host: BootHost, { loader, words }: BootRecord) =>
  loader === null || words.length === 0
    ? []
    : (loaderNamed(loader)?.undoCommands(host, words) ?? []);

export function runAll(
  host: BootHost,
  commands: readonly (readonly string[])[],
): Result<void, Problem> {
  for (const each of commands) {
    const done = host.call(each);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

function restoreFiles(host: BootHost, record: BootRecord): Result<readonly string[], Problem> {
  const edited: string[] = [];
  for (const file of record.files.toReversed()) {
    const path = at(host, file.path);
    const read = readHostFile({ path });
    if (!read.ok) return cannotUndo(read.error);
    const { content, isEdited } = contentBefore(file, read.value, record);
    if (isEdited) edited.push(`/${file.path}`);
    if (sameBytes(content, read.value)) continue;
    const put = putHostFile({ path }, content);
    if (!put.ok) return cannotUndo(put.error);
  }
  return ok(edited.toSorted());
}

const cannotUndo = (problem: Problem) =>
  failed({ hint: 'correct that, and run: bulkhead setup boot --undo', ...problem });
