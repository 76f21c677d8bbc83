/**
 * The reply of a command in CloudLinux's shape, and how it is printed.
 *
 * With --json standard output gets one value and standard error nothing, since panels read both as
 * one; a failure is then `{"result": "Cannot …"}`. Unlike CloudLinux, a failure is an exit status.
 */
import { formatProblemOrCause, type ProblemOrCause } from '../../../../packages/base/problem.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { printError, print, printJson } from '../../../cli/shared/session.ts';
import { lveTable, type LveRow } from '../rows.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { LvectlJson } from '../json.ts';

export type LveReply =
  | { readonly kind: 'rows'; readonly rows: readonly LveRow[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'done'; readonly message: string; readonly warnings: readonly string[] }
  | { readonly kind: 'failed' | 'usage'; readonly errors: readonly ProblemOrCause[] };

export const failedReply = (errors: readonly ProblemOrCause[]): LveReply => ({
  kind: 'failed',
  errors,
});
export const misusedReply = (error: ProblemOrCause): LveReply => ({
  kind: 'usage',
  errors: [error],
});

export function printReply(outcome: LveReply, json: boolean): ExitCode {
  switch (outcome.kind) {
    case 'rows':
      if (json) printJson({ data: outcome.rows } satisfies LvectlJson);
      else print(lveTable(outcome.rows));
      return exitCodes.done;
    case 'text':
      if (json) printJson({ data: outcome.text } satisfies LvectlJson);
      else print(outcome.text);
      return exitCodes.done;
    case 'done':
      printDone(outcome, json);
      return exitCodes.done;
    case 'failed':
    case 'usage':
      printErrors(outcome.errors, json);
      return outcome.kind === 'usage' ? exitCodes.usage : exitCodes.failed;
  }
}

function printDone({ message, warnings }: LveReply & { kind: 'done' }, json: boolean): void {
  const shown = warnings.map(printable);
  if (json) {
    printJson({
      result: 'success',
      ...(shown.length > 0 && { warnings: shown }),
    } satisfies LvectlJson);
    return;
  }
  for (const warning of shown) printError(warning);
  print(message);
}

/** The number of errors that a person reads. */
const errorsMax = 100;

function printErrors(errors: readonly ProblemOrCause[], json: boolean): void {
  const shown = errors.slice(0, errorsMax).map((each) => printable(formatProblemOrCause(each)));
  if (json) printJson({ result: shown.join('; ') } satisfies LvectlJson);
  else for (const error of shown) printError(error);
}
