/**
 * Undoes a change of boot options, also one that was interrupted at any instant.
 *
 * A file that differs from before only by our words gets its old bytes back. From one that somebody has edited since,
 * only our words are taken out. It can be repeated: the record is removed last, or the record of the change before
 * takes its place.
 */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { at, hasProgram, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { putHostFile, readHostFile, sameBytes } from '../../../sys/files/host-file.ts';
import { changesOf, ownWords, type BootRecord } from '../../core/boot/record.ts';
import { removeBootRecord, writeBootRecord } from './boot-record-file.ts';
import { loaderNamed } from './loaders/find-loader.ts';
import type { Commands } from './loaders/loader.ts';
import { contentBefore } from './stored-content.ts';

/** Undoes every change of Bulkhead, the latest first. */
export function undoAll(
  host: BootHost,
  paths: Pick<Paths, 'state'>,
  record: BootRecord,
): Result<readonly string[], Problem> {
  const notes = new Set<string>();
  for (const each of changesOf(record)) {
    const undone = undoBoot(host, paths, each);
    if (!undone.ok) return undone;
    for (const note of undone.value) notes.add(note);
  }
  return ok([...notes]);
}

/** Undoes the latest change only; returns remarks. */
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
  const commands = undoCommands(host, record);
  const ran = runAll(
    host,
    commands.filter((each) => isInstalled(host, each)),
  );
  if (!ran.ok) return ran;
  // The program of the boot loader has written some of them again.
  const again = restoreFiles(host, record);
  if (!again.ok) return again;
  const { earlier } = record;
  const ended = earlier === undefined ? removeBootRecord(paths) : writeBootRecord(paths, earlier);
  if (!ended.ok) return ended;
  const gone = commands.filter((each) => !isInstalled(host, each)).map(notRun);
  return ok([...first.value.map(editedNote), ...gone]);
}

/** A boot loader that was removed keeps nobody from undoing the rest. */
const isInstalled = (host: BootHost, [program = '']: readonly string[]) =>
  hasProgram(host, program);

const notRun = (command: readonly string[]): string =>
  `"${command.join(' ')}" was not run, since ${command[0]} is not installed any more: if this boot loader still starts the host, its entries still have the words`;

const editedNote = (file: string): string =>
  `${file} was edited since: only the words of Bulkhead were taken out`;

const markStarted = (paths: Pick<Paths, 'state'>, record: BootRecord) =>
  writeBootRecord(paths, { ...record, state: 'started' });

export const undoCommands = (host: BootHost, record: BootRecord): Commands =>
  record.loader === null || record.words.length === 0
    ? []
    : (loaderNamed(record.loader)?.undoCommands(host, ownWords(record)) ?? []);

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
  failed({ hint: 'correct that, and run: bulkhead setup boot undo', ...problem });
