/** `bulkhead policy diff N [M]`: shows what a change did, in lines and in values. */
import type { Command } from 'commander';
import { changedBetween } from '../../../apply/change-record.ts';
import { readChangeText, readChangeTexts, type ChangeTexts } from '../../../apply/read-changes.ts';
import type { Paths } from '../../../host/paths.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import { lineDiff } from '../../../policy/changes/line-diff.ts';
import { printDiff } from '../../shared/print-diff.ts';
import { failWith, pathsFor, print, printJson } from '../../shared/session.ts';
import type { PolicyDiffJson } from './json.ts';
import { valueLines } from './change-text.ts';

export function diff(
  number: number,
  other: number | undefined,
  options: { readonly json?: boolean },
  command: Command,
): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const read = readTexts(number, other, paths);
  if (!read.ok) return failWith(read.error);
  const { change, before, after } = read.value;
  const { changed } = changedBetween(before, after);
  if (options.json === true) {
    printJson({
      lines: lineDiff(before, after),
      ...(changed !== undefined && { values: changed.values, valueCount: changed.count }),
    } satisfies PolicyDiffJson);
    return exitCodes.done;
  }
  printDiff(change.file, before, after);
  for (const line of valueLines({ ...(changed && { changed }) })) print(printable(line));
  return exitCodes.done;
}

function readTexts(
  number: number,
  other: number | undefined,
  paths: Paths,
): Result<ChangeTexts, Problem> {
  if (other === undefined) return readChangeTexts(paths, number);
  const [before, after] = [readChangeText(paths, number), readChangeText(paths, other)];
  if (!before.ok) return before;
  if (!after.ok) return after;
  const { change, text } = after.value;
  return ok({ change, before: before.value.text, after: text });
}
