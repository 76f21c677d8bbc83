/** `bulkhead digest texts [LANGUAGE]`: prints the built-in texts of a language, to copy and change. */
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print } from '../../cli/shared/output.ts';
import { builtInTexts } from '../core/texts/built-in.ts';

function texts(language: string): ExitCode {
  const found = builtInTexts.get(language);
  if (found === undefined)
    return failWith({
      action: 'print the texts of',
      object: language,
      reason: `built in are ${[...builtInTexts.keys()].join(', ')}`,
      hint: 'translate those of "en"',
    });
  print(found.trimEnd());
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the language: en or de').default('en');
    command
      .addHelpText(
        'after',
        examples(
          ['bulkhead digest texts de', 'the German texts'],
          ['bulkhead digest texts > /etc/bulkhead/texts/fr/digest.txt', 'a file to translate'],
        ),
      )
      .action(run(texts));
  },
};
