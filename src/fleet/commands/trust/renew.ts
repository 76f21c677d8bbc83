/** `bulkhead fleet trust renew` */
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { addChangeOptions } from './change-options.ts';
import { changeAndSign, type ChangeOptions } from './sign-next.ts';

const renew = (options: ChangeOptions): ExitCode => changeAndSign({ kind: 'renew' }, options);

export const command: CommandModule = {
  define(command, run) {
    addChangeOptions(command)
      .addHelpText(
        'after',
        examples(['bulkhead fleet trust renew --expires "400 days"', 'good for 400 days from now']),
      )
      .action(run(renew));
  },
};
