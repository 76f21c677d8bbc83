/** `bulkhead confine disable SERVICE`. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { switchService, withConfineOptions } from './switch.ts';

export const command: CommandModule = {
  define(command, run) {
    withConfineOptions(command)
      .option('--dry-run', 'print what would be removed; changes nothing')
      .option('--no-restart', 'do not restart the service; the sandbox ends when it starts next')
      .option('--force', 'remove the file even if it was edited')
      .addHelpText('after', examples(['bulkhead confine disable nginx', 'remove the sandbox']))
      .action(run(switchService('disable')));
  },
};
