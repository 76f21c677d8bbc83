/**
 * `bulkhead policy undo N`: gives back the text before the last change; an older change is undone in the text of now,
 * in which later changes stay. The undo is a change of its own.
 */
import type { Command } from 'commander';
import { changedBetween } from '../../../apply/change-record.ts';
import {
  editPolicy,
  tryPolicyEdit,
  type EditedPolicy,
  type EditErrors,
} from '../../../apply/edit.ts';
import { readChangeTexts } from '../../../apply/read-changes.ts';
import { undone } from '../../../apply/edits/undo-edit.ts';
import type { Paths } from '../../../host/paths.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { policyReaderOf } from '../../capability.ts';
import { canAsk, confirm } from '../../confirm.ts';
import { exitCodes, wayOf, type ExitCode } from '../../shared/command.ts';
import { printDiff } from '../../shared/print-diff.ts';
import {
  failWith,
  pathsFor,
  print,
  printError,
  printJson,
  showDiagnostics,
} from '../../shared/session.ts';
import type { PolicyUndoJson } from './json.ts';
import { valueLines } from './change-text.ts';

interface UndoOptions {
  readonly apply: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export async function undo(
  number: number,
  options: UndoOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const needsAnswer = options.yes !== true && options.dryRun !== true;
  if (needsAnswer && (options.json === true || !canAsk())) {
    printError('Nobody can answer whether to undo the change; pass --yes, or --dry-run to see it');
    return exitCodes.usage;
  }
  const texts = readChangeTexts(paths, number);
  if (!texts.ok) return failWith(texts.error);
  const { file } = texts.value.change;
  const reader = await policyReaderOf(command);
  const tried = tryPolicyEdit(reader, file, paths, (text) => undone(text, texts.value));
  if (!tried.ok) return reportErrors(tried.error);
  const { before, after, news } = tried.value;
  if (before === after) return report(tried.value, number, file, options, false);
  if (options.json !== true && needsAnswer) showPlan(tried.value, file);
  if (options.dryRun === true) {
    const code = report(tried.value, number, file, options, false);
    showDiagnostics(news());
    return code;
  }
  if (needsAnswer && !(await confirm(`Undo change ${number}?`))) {
    print('Nothing was changed');
    return exitCodes.failed;
  }
  const way = `${wayOf(command)} ${number}`;
  const edited = editPolicy(reader, file, paths, (text) => ifSame(text, tried.value, file), way);
  if (!edited.ok) return reportErrors(edited.error);
  if (edited.value.unrecorded !== undefined) printError(edited.value.unrecorded);
  report(edited.value, number, file, options, true);
  return finish(edited.value, file, options, command, paths);
}

/** Writes only the text that was shown. */
function ifSame(
  text: string,
  { before, after }: EditedPolicy,
  file: string,
): Result<string, EditErrors> {
  if (text === before) return ok(after);
  const reason = 'another program changed it meanwhile';
  return fail([{ action: 'write', object: file, reason, hint: 'run the command again' }]);
}

function showPlan({ before, after }: EditedPolicy, file: string): void {
  printDiff(file, before, after);
  for (const line of valueLines(changedBetween(before, after))) print(printable(line));
}

function report(
  edited: EditedPolicy,
  number: number,
  file: string,
  options: UndoOptions,
  written: boolean,
): ExitCode {
  const { before, after } = edited;
  const { changed } = changedBetween(before, after);
  if (options.json === true) {
    printJson({
      number,
      file,
      written,
      ...(changed !== undefined && { values: changed.values, valueCount: changed.count }),
    } satisfies PolicyUndoJson);
  } else if (before === after) print(`Nothing to change in ${file}: the change is undone already`);
  else if (!written) showPlan(edited, file);
  else print(`Undid change ${number} in ${file}`);
  return exitCodes.done;
}

async function finish(
  { news }: EditedPolicy,
  file: string,
  { apply, json }: UndoOptions,
  command: Command,
  paths: Paths,
): Promise<ExitCode> {
  if (!apply) {
    showDiagnostics(news());
    return exitCodes.done;
  }
  const { applyAfterEdit } = await import('../policy/apply.ts');
  return applyAfterEdit(file, command, paths, json === true);
}

function reportErrors(errors: EditErrors): ExitCode {
  for (const error of errors) printError(error);
  return exitCodes.failed;
}
