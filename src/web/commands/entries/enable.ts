/** `bulkhead web entries enable`: writes the files that enforce tenants' entries, and reloads the web servers. */
import type { Command } from 'commander';
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { applyPlans } from './apply-plans.ts';
import { whenLocked } from './locked.ts';
import { planAll, recordFor } from './plans.ts';
import { entriesSession, withEntriesOptions, type EntriesOptions } from './session.ts';

export async function enable(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await entriesSession({ strict: false, ...options }, command);
  if (typeof session === 'number') return session;
  const planned = await planAll({ ...session, editVhosts: options.editVhosts === true });
  return applyPlans(planned, options, session.paths, async () => {
    const now = await session.again();
    const servers = await planAll(now);
    const recorded = servers.ok ? recordFor(now, servers.value) : servers;
    return recorded.ok ? servers : recorded;
  });
}

export const command: CommandModule = {
  define(command, run) {
    withEntriesOptions(command, 'print what would be written; changes nothing')
      .option(
        '--strict',
        'with nginx: a request keeps its entry until its script ends, even if the visitor disconnects',
      )
      .option(
        '--edit-vhosts',
        'write the line that a vhost needs into its file, where only root can change that; disable removes it',
      )
      .addHelpText(
        'after',
        examples(
          ['bulkhead web entries enable --dry-run', 'what would be written'],
          ['bulkhead web entries enable', 'write it, check it, and reload the web servers'],
          [
            'bulkhead web entries enable --edit-vhosts --dry-run',
            'also what would be added to vhosts',
          ],
          [
            'bulkhead web entries enable --strict',
            'also count requests whose visitors have disconnected',
          ],
        ),
      )
      .action(run(whenLocked(enable)));
  },
};
