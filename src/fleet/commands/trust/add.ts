/** `bulkhead fleet trust add NAME KEY` */
import {
  describeArgument,
  examples,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import { keyText, readPublicKey } from '../../io/directory/public-keys.ts';
import { addChangeOptions, controllerOption, type ControllerOptions } from './change-options.ts';
import { changeAndSign } from './sign-next.ts';

function add(name: string, file: string, options: ControllerOptions): ExitCode {
  const key = readPublicKey(file);
  if (!key.ok) return failWith(key.error);
  const added = { name, key: keyText(key.value) };
  return changeAndSign(
    options.controller === true
      ? { kind: 'add controller', controller: added }
      : { kind: 'add', person: added },
    options,
  );
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the person, like bob@example.org, or of the controller');
    addChangeOptions(command)
      .addOption(controllerOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet trust add bob@example.org bob.pub', 'he may sign from now on'],
          ['bulkhead fleet trust add bob@example.org bob.pub --key ~/.ssh/work', 'with that key'],
          ['bulkhead fleet trust add --controller centre centre.pub', 'it leads rollouts'],
        ),
      )
      .action(run(add));
  },
};
