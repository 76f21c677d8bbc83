/** `bulkhead fleet rollout status DIRECTORY`: which waves are open. */
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { lastRecord } from '../../io/rollout/controller.ts';
import { directoryCentre } from '../../io/rollout/directory-centre.ts';
import { readPublished } from '../../io/rollout/published.ts';
import { describeRollout, rolloutJson } from './describe-rollout.ts';

async function status(directory: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const now = Date.now();
  const fleet = readPublished(directory, now);
  if (!fleet.ok) return failWith(fleet.error);
  const last = await lastRecord(directoryCentre(directory), fleet.value.trust);
  if (!last.ok) return failWith(last.error);
  const { record, problem } = last.value;
  const shown = rolloutJson(fleet.value, record, problem, now);
  if (options.json === true) printJson(shown);
  else print(describeRollout(shown));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the directory that "bulkhead fleet publish" has written');
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead fleet rollout status out', 'the waves of the release in out']),
      )
      .action(run(status));
  },
};
