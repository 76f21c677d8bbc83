/**
 * Replies of cloudlinux-limits and cloudlinux-packages. With `--json`, `result` says whether it succeeded, and the exit
 * status is 0 even for a failure: CloudLinux's commands do so, and callers read the JSON only then.
 */
import { formatProblemOrCause, type ProblemOrCause } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { print, printError, printJson } from '../../../cli/shared/session.ts';

export interface PanelFailure {
  /** The reason for the failure. A word in `%(…)s` stands for a value in `context`. */
  readonly result: string;
  /** Values for the reason. */
  readonly context?: Readonly<Record<string, string>>;
  /** Empty. */
  readonly users?: readonly [];
  /** Empty. */
  readonly packages?: readonly [];
}

export interface PanelSuccess {
  /** Always `success`. */
  readonly result: 'success';
  /** Notes for people. */
  readonly warnings?: readonly string[];
}

/** The list that a failed `get` prints empty. */
export type EmptyList = Pick<PanelFailure, 'users' | 'packages'>;

export type PanelReply<T> =
  | { readonly kind: 'shown'; readonly json: T; readonly text: string }
  | { readonly kind: 'changed'; readonly warnings: readonly string[] }
  | { readonly kind: 'failed' | 'usage'; readonly errors: readonly ProblemOrCause[] }
  | { readonly kind: 'no such user'; readonly user: string };

export const failedReply = (...errors: readonly ProblemOrCause[]) =>
  ({ kind: 'failed', errors }) as const;
export const misusedReply = (...errors: readonly ProblemOrCause[]) =>
  ({ kind: 'usage', errors }) as const;

const errorsMax = 100;

export function printPanelReply<T extends object>(
  reply: PanelReply<T>,
  isJson: boolean,
  empty: EmptyList,
): ExitCode {
  switch (reply.kind) {
    case 'shown':
      if (isJson) printJson(reply.json);
      else print(reply.text);
      return exitCodes.done;
    case 'changed':
      return printChanged(reply.warnings.map(printable), isJson);
    case 'no such user': {
      const user = printable(reply.user);
      const json = { result: 'No such user (%(user)s)', context: { user }, ...empty };
      return printFailure(json, `No such user (${user})`, isJson, exitCodes.failed);
    }
    case 'failed':
    case 'usage': {
      const shown = reply.errors.slice(0, errorsMax).map(formatProblemOrCause).map(printable);
      const result = shown.join('; ');
      const code = reply.kind === 'usage' ? exitCodes.usage : exitCodes.failed;
      return printFailure({ result, ...empty }, result, isJson, code);
    }
  }
}

function printChanged(warnings: readonly string[], isJson: boolean): ExitCode {
  const success: PanelSuccess = {
    result: 'success',
    ...(warnings.length > 0 && { warnings }),
  };
  if (isJson) printJson(success);
  else for (const warning of warnings) printError(warning);
  if (!isJson) print(success.result);
  return exitCodes.done;
}

function printFailure(json: PanelFailure, text: string, isJson: boolean, code: ExitCode): ExitCode {
  if (isJson) {
    printJson(json);
    return exitCodes.done;
  }
  printError(text);
  return code;
}
