/** `bulkhead app enable`: lets a disabled application run again. */
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { changing } from './change.ts';

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the application, as TENANT/NAME');
    command
      .addOption(policyOption())
      .addHelpText('after', examples(['bulkhead app enable alice/blog', '']))
      .action(run(changing(false)));
  },
};
