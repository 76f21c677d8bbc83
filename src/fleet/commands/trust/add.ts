/** `bulkhead fleet trust add NAME KEY` */
import {
  describeArgument,
  examples,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import { keyText, readPublicKey } from '../../io/directory/public-keys.ts';
import { addChangeOptions } from './change-options.ts';
import { changeAndSign, type ChangeOptions } from './sign-next.ts';

function add(name: string, file: string, options: ChangeOptions): ExitCode {
  const key = readPublicKey(file);
  if (!key.ok) return failWith(key.error);
  return changeAndSign({ kind: 'add', person: { name, key: keyText(key.value) } }, options);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the person, like bob@example.org');
    addChangeOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet trust add bob@example.org bob.pub', 'he may sign from now on'],
          ['bulkhead fleet trust add bob@example.org bob.pub --key ~/.ssh/work', 'with that key'],
        ),
      )
      .action(run(add));
  },
};
