/** `bulkhead fleet`: one policy for many hosts, signed by people. */
import type { CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {};

export const command: CommandModule = {
  define(parent) {
    addCommands(parent, parts);
  },
};
