/** `bulkhead web entries disable`: removes what `enable` has written, and reloads the web servers. */
import type { Command } from 'commander';
import { ok } from '../../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print } from '../../../cli/shared/output.ts';
import type { Paths } from '../../../host/paths.ts';
import { readEntriesRecord, removeRecord } from '../../io/entries/record.ts';
import { applyPlans } from './apply-plans.ts';
import { whenLocked } from './locked.ts';
import { planRemoval } from './plans.ts';
import {
  findServers,
  sessionWithoutPolicy,
  withEntriesOptions,
  type EntriesOptions,
} from './session.ts';

export async function disable(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths !== undefined && hasNothing(paths)) {
    print('Entries are not enabled here');
    return exitCodes.done;
  }
  const session = await sessionWithoutPolicy(command);
  if (typeof session === 'number') return session;
  return applyPlans(planRemoval(session), options, session.paths, () => {
    const removed = removeRecord(session.paths);
    return Promise.resolve(removed.ok ? ok([]) : removed);
  });
}

/** Whether nothing is to be removed: there is no record, and no server that has a file of Bulkhead's. */
function hasNothing(paths: Paths): boolean {
  if (readEntriesRecord(paths) !== undefined) return false;
  const { nginx, apache } = findServers(paths);
  return nginx === undefined && apache === undefined;
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
