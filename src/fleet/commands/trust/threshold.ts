/** `bulkhead fleet trust threshold PEOPLE` */
import {
  describeArgument,
  examples,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { addChangeOptions } from './change-options.ts';
import { changeAndSign, type ChangeOptions } from './sign-next.ts';

const threshold = (people: string, options: ChangeOptions): ExitCode =>
  changeAndSign({ kind: 'threshold', threshold: Number(people) }, options);

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'how many people must sign');
    addChangeOptions(command)
      .addHelpText('after', examples(['bulkhead fleet trust threshold 2', 'two of them must sign']))
      .action(run(threshold));
  },
};
