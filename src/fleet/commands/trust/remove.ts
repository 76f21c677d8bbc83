/** `bulkhead fleet trust remove NAME` */
import {
  describeArgument,
  examples,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { addChangeOptions } from './change-options.ts';
import { changeAndSign, type ChangeOptions } from './sign-next.ts';

const remove = (name: string, options: ChangeOptions): ExitCode =>
  changeAndSign({ kind: 'remove', name }, options);

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the person');
    addChangeOptions(command)
      .addHelpText(
        'after',
        examples(['bulkhead fleet trust remove bob@example.org', 'his signatures no longer count']),
      )
      .action(run(remove));
  },
};
