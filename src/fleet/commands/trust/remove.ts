/** `bulkhead fleet trust remove NAME` */
import {
  describeArgument,
  examples,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { addChangeOptions, controllerOption, type ControllerOptions } from './change-options.ts';
import { changeAndSign } from './sign-next.ts';

const remove = (name: string, options: ControllerOptions): ExitCode =>
  changeAndSign(
    { kind: options.controller === true ? 'remove controller' : 'remove', name },
    options,
  );

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the person, or of the controller');
    addChangeOptions(command)
      .addOption(controllerOption())
      .addHelpText(
        'after',
        examples(['bulkhead fleet trust remove bob@example.org', 'his signatures no longer count']),
      )
      .action(run(remove));
  },
};
