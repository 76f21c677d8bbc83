/** `bulkhead web entries disable`: removes what `enable` has written, and reloads the web servers. */
import type { Command } from 'commander';
import { ok } from '../../../../packages/base/result.ts';
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { removeRecord } from '../../io/entries/record.ts';
import { applyPlans } from './apply-plans.ts';
import { whenLocked } from './locked.ts';
import { planRemoval } from './plans.ts';
import { sessionWithoutPolicy, withEntriesOptions, type EntriesOptions } from './session.ts';

export async function disable(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await sessionWithoutPolicy(options, command);
  if (typeof session === 'number') return session;
  return applyPlans(planRemoval(session), options, session.paths, () => {
    const removed = removeRecord(session.paths);
    return Promise.resolve(removed.ok ? ok([]) : removed);
  });
}

export const command: CommandModule = {
  define(command, run) {
    withEntriesOptions(command, 'print what would be removed; changes nothing')
      .addHelpText(
        'after',
        examples(['bulkhead web entries disable', 'remove it, and reload the web servers']),
      )
      .action(run(whenLocked(disable)));
  },
};
