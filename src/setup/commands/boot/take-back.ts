/** `bulkhead setup boot undo`: the boot options as they were before. */
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../../cli/shared/output.ts';
import type { BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { changesOf, ownWords, type BootRecord } from '../../core/boot/record.ts';
import { readBootRecord } from '../../io/boot/boot-record-file.ts';
import { loadersOf } from '../../io/boot/loaders/find-loader.ts';
import { undoAll, undoCommands } from '../../io/boot/undo-boot.ts';
import type { SetupBootJson } from '../json.ts';
import { nobodyToAsk, type Ask, type BootOptions } from './ask.ts';

export async function takeBack(
  host: BootHost,
  paths: Paths,
  { dryRun, json }: BootOptions,
  ask: Ask,
): Promise<ExitCode> {
  const read = readBootRecord(paths);
  if (!read.ok) return failWith(read.error);
  const record = read.value;
  const value = undoJson(host, record, dryRun === true);
  if (json !== true) printUndo(value);
  if (record === undefined || dryRun === true) {
    if (json === true) printJson(value);
    return exitCodes.done;
  }
  const answer = await ask('Undo this? Nothing is rebooted.');
  if (answer === undefined) return nobodyToAsk('undo the boot options');
  if (!answer) return exitCodes.failed;
  const undone = undoAll(host, paths, record);
  if (!undone.ok) return failWith(undone.error);
  const notes = undone.value;
  if (json === true) printJson({ ...value, changed: true, notes } satisfies SetupBootJson);
  else {
    for (const each of notes) printError(each);
    print('The boot options are as before, from the next reboot on');
  }
  return exitCodes.done;
}

const undoJson = (
  host: BootHost,
  record: BootRecord | undefined,
  dryRun: boolean,
): SetupBootJson => ({
  dryRun,
  undo: true,
  loader: record?.loader ?? null,
  loaders: loadersOf(host).map(({ name }) => name),
  options: [],
  words: changesOf(record).flatMap((each) => ownWords(each).map(({ word }) => word)),
  files: filesOf(record).map((path) => ({ path: `/${path}`, before: '', after: '' })),
  commands: changesOf(record).flatMap((each) => undoCommands(host, each)),
  rewritten: [],
  changed: false,
  notes: [],
});

const filesOf = (record: BootRecord | undefined) => [
  ...new Set(changesOf(record).flatMap(({ files }) => files.map(({ path }) => path))),
];

function printUndo({ words, files, commands }: SetupBootJson): void {
  if (files.length + words.length === 0) return print('Bulkhead has changed no boot option here');
  print('This takes out:');
  for (const each of words) print(`  ${each}`);
  for (const { path } of files) print(`  from ${path}`);
  for (const each of commands) print(`run: ${each.join(' ')}`);
}
