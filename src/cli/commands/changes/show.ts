/** `bulkhead policy show [N]`: prints the policy as a change left it. */
import type { Command } from 'commander';
import { readChangeText } from '../../../apply/read-changes.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { failWith, pathsFor, print, printJson } from '../../shared/session.ts';
import type { PolicyShowJson } from './json.ts';

export function show(
  which: number | 'latest' | undefined,
  options: { readonly json?: boolean },
  command: Command,
): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const read = readChangeText(paths, which ?? 'latest');
  if (!read.ok) return failWith(read.error);
  const { change, text } = read.value;
  if (options.json === true) {
    const { number, at, file } = change;
    printJson({ number, at, file, text } satisfies PolicyShowJson);
  } else if (process.stdout.isTTY) print(printableLines(text));
  else process.stdout.write(text);
  return exitCodes.done;
}

/** A file gets the text as it is; control characters must not reach a terminal. */
const printableLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.split('\t').map(printable).join('\t'))
    .join('\n');
