/** `set` and `unset`, alike for tenants, packages, resellers and the defaults. */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Command } from 'commander';
import { parseAssignments, type Assignment } from '../../../policy/assignment.ts';
import { setLimits } from '../../../policy/edit.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { exitCodes, type CommandResult } from '../../shared/command.ts';
import {
  collectValues,
  runPolicyEdit,
  withEditOptions,
  type NamedTarget,
  type EditOptions,
} from '../../shared/edit-policy.ts';
import { printError } from '../../shared/session.ts';

export interface SetOptions extends EditOptions {
  readonly unset?: readonly string[];
}

export function setIn(
  edited: NamedTarget,
  words: readonly string[],
  options: SetOptions,
  command: Command,
): CommandResult {
  return change(edited, parseAssignments(words, options.unset), options, command);
}

export function unsetIn(
  edited: NamedTarget,
  names: readonly string[],
  options: EditOptions,
  command: Command,
): CommandResult {
  return change(edited, parseAssignments([], names), options, command);
}

/** Returns `set` and `unset` for targets that `named` finds by name. */
export const setAndUnset = (named: (name: string) => NamedTarget) => ({
  set: (name: string, words: string[], options: SetOptions, command: Command) =>
    setIn(named(name), words, options, command),
  unset: (name: string, names: string[], options: EditOptions, command: Command) =>
    unsetIn(named(name), names, options, command),
});

function change(
  { what, target }: NamedTarget,
  assignments: Result<readonly Assignment[], readonly Cause[]>,
  options: EditOptions,
  command: Command,
): CommandResult {
  if (!assignments.ok) {
    for (const error of assignments.error) printError(error);
    return exitCodes.usage;
  }
  return runPolicyEdit(options, command, what, (text, paths) =>
    setLimits(text, target(paths), assignments.value),
  );
}

export function withSetOptions(command: Command): Command {
  return withEditOptions(command).option(
    '--unset <limit>',
    'remove a limit (repeatable)',
    collectValues,
  );
}
