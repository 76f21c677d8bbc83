/** `bulkhead modules allow NAME…`: undoes `bulkhead modules deny`. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { changeDenied, type DenyCommandOptions } from './deny.ts';

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--dry-run', 'show what would be done; changes nothing')
      .option('--json', 'print what was done as JSON')
      .addHelpText('after', examples(['bulkhead modules allow lve', '']))
      .action(
        run((words: string[], options: DenyCommandOptions) =>
          changeDenied(words, { ...options, undo: true }),
        ),
      );
  },
};
