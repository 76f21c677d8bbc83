/** `bulkhead confine enable SERVICE`. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { switchService, withConfineOptions } from './switch.ts';

export const command: CommandModule = {
  define(command, run) {
    withConfineOptions(command)
      .option('--dry-run', 'print the sandbox with its reasons; changes nothing')
      .option('--no-restart', 'do not restart the service; it is in force when it starts next')
      .option('--force', 'replace the file even if it was edited')
      .addHelpText(
        'after',
        examples(
          ['bulkhead confine enable nginx --dry-run', 'what nginx could still do, and why'],
          [
            'bulkhead confine enable nginx',
            'confine it, after asking; undone if it does not come up',
          ],
        ),
      )
      .action(run(switchService('enable')));
  },
};
