/** What every command is made of: a definition for commander, and an exit code as its answer. */
import type { Command } from 'commander';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** What was asked about was found: drift, a contradicted module, one that is refused or not accepted. */
  found: 3,
  /** What was asked cannot be told from what is at hand. */
  undecided: 4,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export type CommandResult = ExitCode | Promise<ExitCode>;

/** One file a command; `main.ts` lists them. */
export interface CommandModule {
  /**
   * `run` wraps an action so that its answer becomes the exit status of the program. `inner` is the word after the
   * command, for those that have commands of their own and need not load all of them.
   */
  readonly define: (program: Command, run: Runner, inner?: string) => void | Promise<void>;
}

export type Runner = <Args extends unknown[]>(
  action: (...args: Args) => CommandResult,
) => (...args: Args) => Promise<void>;

/** Options of every command that reads the policy. */
export interface PolicyOptions {
  readonly policy: string;
  readonly json?: boolean;
}

/** Examples under a command's help, aligned. */
export function examples(...rows: readonly (readonly [command: string, does: string])[]): string {
  const width = Math.max(...rows.map(([command]) => command.length));
  const lines = rows.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`.trimEnd());
  return `\nExamples:\n${lines.join('\n')}`;
}
