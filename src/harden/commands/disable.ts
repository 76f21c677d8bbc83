/** `bulkhead harden disable`. */
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import { switchItems, withHardenOptions } from './switch.ts';

export const command: CommandModule = {
  define(command, run) {
    describeArgument(
      command,
      'items by name or sysctl key; if none is named, all that enable has set',
    );
    withHardenOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead harden disable', 'restore every setting'],
          ['bulkhead harden disable userns-clone', 'one item, by name'],
        ),
      )
      .action(run(switchItems('disable')));
  },
};
