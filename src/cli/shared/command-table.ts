/**
 * `--help` is generated from this table. A command's file is loaded only when that command is requested, so that
 * neither help nor the other commands wait for it.
 */
import { Help, type Command } from 'commander';
import type { CommandModule, CommandResult } from './command.ts';

interface CommandRow {
  /** The arguments that help lists after the name; the command takes these. */
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandModule }>;
}

/** Commands by name, in the order in which help lists them. */
export type CommandTable = Readonly<Record<string, CommandRow>>;

/** The rows of commands that are not loaded yet. */
const rows = new WeakMap<Command, CommandRow>();

export function addCommands(parent: Command, table: CommandTable): void {
  for (const [name, row] of Object.entries(table)) {
    const words = `${name} ${row.usage.replace('[options]', '')}`;
    rows.set(parent.command(words).description(row.summary), row);
  }
  parent.hook('preSubcommand', (_parent, command) => loadCommand(command));
}

export async function loadCommand(command: Command): Promise<void> {
  const row = rows.get(command);
  if (row === undefined) return;
  rows.delete(command);
  const module = await row.load();
  module.command.define(command, run);
}

/** Loads all commands, to generate text from their options. */
export async function loadCommands(parent: Command): Promise<void> {
  for (const each of parent.commands) {
    await loadCommand(each);
    await loadCommands(each);
  }
}

/** Returns the command as help lists it. Commander cannot know whether a command has options before it is loaded. */
export function listedAs(command: Command): string {
  const row = rows.get(command);
  if (row === undefined) return new Help().subcommandTerm(command);
  return `${command.name()} ${row.usage}`.trimEnd();
}

/** Makes the answer of an action the exit status; an exception is a defect and is reported as one. */
function run<Args extends unknown[]>(action: (...args: Args) => CommandResult) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await action(...args);
  };
}
