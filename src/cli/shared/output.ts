/** Output of commands, and the paths of the instance: few imports, for commands that must start fast. */
import type { Command } from 'commander';
import { instancePattern, pathsOf, type Paths } from '../../host/paths.ts';
import { formatDiagnostic, type Diagnostic } from '../../policy/diagnostic.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblemOrCause, type ProblemOrCause } from '../../../packages/base/problem.ts';
import { jsonText } from '../../../packages/base/json.ts';
import { exitCodes, type ExitCode } from './command.ts';
import { terminalOf } from './terminal.ts';

export { count } from '../../../packages/base/list.ts';

export function pathsFor(command: Command): Paths | undefined {
  const { instance } = command.optsWithGlobals<{ instance: string }>();
  if (instancePattern.test(instance)) return pathsOf(instance);
  printError({
    action: 'use the instance',
    object: instance,
    reason: 'that is not a valid name',
    hint: 'use lower case letters, digits and "-"',
  });
  return undefined;
}

/** Prints one line, whatever untrusted text is in it. */
export function printError(error: string | ProblemOrCause): void {
  const message = typeof error === 'string' ? error : formatProblemOrCause(error);
  process.stderr.write(`bulkhead: ${printable(message)}\n`);
}

/** Prints the failure and returns the exit status for it. */
export function failWith(failure: string | ProblemOrCause): ExitCode {
  printError(failure);
  return exitCodes.failed;
}

/** Prints that the command waits for the agent, which may be starting, or on a host that is too busy. */
export const sayItWaits = (): void =>
  printError('waiting for the agent, which has not answered yet; Ctrl-C ends this');

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${jsonText(value, 2)}\n`);
}

/** The number of lines that a person would read; the rest is counted. */
const diagnosticsMax = 200;

export function showDiagnostics(
  diagnostics: readonly Diagnostic[],
  minimum: Diagnostic['severity'] = 'warning',
): void {
  const { colors } = terminalOf(process.stderr);
  const paint = { error: colors.red, warning: colors.yellow, note: colors.dim };
  const shown = diagnostics.filter((each) => minimum === 'note' || each.severity !== 'note');
  for (const each of shown.slice(0, diagnosticsMax)) {
    process.stderr.write(`${paint[each.severity](formatDiagnostic(each))}\n`);
  }
  const more = shown.length - diagnosticsMax;
  if (more > 0) process.stderr.write(`… and ${more} more\n`);
}
