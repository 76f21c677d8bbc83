/**
 * What help lists of a command comes from a table. The file of the command is loaded when it is asked
 * for, so that neither help nor the other commands wait for it.
 */
import { Help, type Command } from 'commander';
import type { CommandModule, CommandResult } from './command.ts';

interface CommandRow {
  /** As help lists it after the name; the command takes these arguments. */
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandModule }>;
}

/** By name, in the order in which help lists them. */
export type CommandTable = Readonly<Record<string, CommandRow>>;

/** Of the commands that are not loaded yet. */
const rows = new WeakMap<Command, CommandRow>();

export function addCommands(parent: Command, table: CommandTable): void {
  for (const [name, row] of Object.entries(table)) {
    const words = `${name} ${row.usage.replace('[options]', '')}`;
    rows.set(parent.command(words).description(row.summary), row);
  }
  parent.hook('preSubcommand', (_parent, command) => loadCommand(command));
}

async function loadCommand(command: Command): Promise<void> {
  const row = rows.get(command);
  if (row === undefined) return;
  rows.delete(command);
  const module = await row.load();
  module.command.define(command, run);
}

/** All of them, for what is made from their options. */
export async function loadCommands(parent: Command): Promise<void> {
  for (const each of parent.commands) {
    await loadCommand(each);
    await loadCommands(each);
  }
}

/** As commander lists it, which cannot know whether a command has options before it is loaded. */
export function listedAs(command: Command): string {
  const row = rows.get(command);
  if (row === undefined) return new Help().subcommandTerm(command);
  return `${command.name()} ${row.usage}`.trimEnd();
}

/** The answer of an action becomes the exit status; what it throws is a defect and says so. */
function run<Args extends unknown[]>(action: (...args: Args) => CommandResult) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await action(...args);
  };
}
