/** The parts of every command: a definition for commander, and an exit code as its result. */
import type { Argument, Command } from 'commander';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** The check found something: drift, a contradicted module, one that is refused or not accepted. */
  found: 3,
  /** The available data does not decide the check. */
  undecided: 4,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export type CommandResult = ExitCode | Promise<ExitCode>;

/** One file per command; a table lists it with its arguments and its summary. */
export interface CommandModule {
  /** Defines the command; `run` wraps an action so that its result becomes the exit status of the program. */
  readonly define: (command: Command, run: Runner) => void;
}

export type Runner = <Args extends unknown[]>(
  action: (...args: Args) => CommandResult,
) => (...args: Args) => Promise<void>;

/** Options of every command that reads the policy. */
export interface PolicyOptions {
  readonly policy: string;
  readonly json?: boolean;
}

/** Describes the first argument of a command, and returns it so that a default or a parser can follow. */
export function describeArgument(command: Command, description: string): Argument {
  const [argument] = command.registeredArguments;
  if (argument === undefined) throw new Error(`"${command.name()}" takes no argument`);
  argument.description = description;
  return argument;
}

/** Returns aligned examples for a command's help. */
export function examples(...rows: readonly (readonly [command: string, does: string])[]): string {
  const width = Math.max(...rows.map(([command]) => command.length));
  const lines = rows.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`.trimEnd());
  return `\nExamples:\n${lines.join('\n')}`;
}

/** Returns the command for the record of changes: `set`, `package set`. */
export function wayOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${wayOf(parent)} ${command.name()}` : command.name();
}
