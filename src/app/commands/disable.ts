/** `bulkhead app disable`: ends an application, and keeps it out. */
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { changing } from './change.ts';

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the application, as TENANT/NAME');
    command
      .addOption(policyOption())
      .addHelpText('after', examples(['bulkhead app disable alice/blog', '']))
      .action(run(changing(true)));
  },
};
