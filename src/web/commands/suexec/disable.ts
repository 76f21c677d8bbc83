/** `bulkhead web suexec disable`: removes what `enable` has written. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { disableSuexec } from '../../io/suexec/change-suexec.ts';
import { changeSuexec } from './enable.ts';

const disable = (_options: object, command: Command): Promise<ExitCode> =>
  changeSuexec(command, disableSuexec, () => exitCodes.done);

export const command: CommandModule = {
  define(command, run) {
    command
      .addHelpText(
        'after',
        examples(['bulkhead web suexec disable', 'programs that run keep running']),
      )
      .action(run(disable));
  },
};
