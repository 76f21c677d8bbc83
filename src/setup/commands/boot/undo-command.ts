/** `bulkhead setup boot undo`: the boot options as they were before. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { undo } from './run-boot.ts';

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--dry-run', 'show what would be undone; changes nothing')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print as JSON, and do not ask')
      .addHelpText('after', examples(['bulkhead setup boot undo --dry-run', 'what it would undo']))
      .action(run(undo));
  },
};
