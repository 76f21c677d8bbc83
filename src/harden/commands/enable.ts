/** `bulkhead harden enable`. */
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import { switchItems, withHardenOptions } from './switch.ts';

export const command: CommandModule = {
  define(command, run) {
    describeArgument(
      command,
      'items by name or sysctl key; if none is named, all that break next to nothing',
    );
    withHardenOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead harden enable --dry-run', 'what would change'],
          ['bulkhead harden enable', 'change it, after asking'],
          ['bulkhead harden enable userns-clone', 'one item, by name'],
        ),
      )
      .action(run(switchItems('enable')));
  },
};
